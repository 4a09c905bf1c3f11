import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test("what has failed, sleeps or waits is not delivered again where its present element is there, and is where that is an older one", async () => {
  const options = { transactional: true, backoff: { type: "fixed", delay: 600_000, jitter: 0 } } as const;
  const queue = stage.keyline().queue<string>("present", options);
  const key = (name: string): string => `${stage.prefix}:{present}:${name}`;
  const noted = async (): Promise<number | null> =>
    (
      await stage.pool.query(
        "SELECT FROM keyline.job JOIN keyline.queue ON name = queue WHERE delivered_to = epoch AND rebuilt_epoch = epoch",
      )
    ).rowCount;
  const rebuilt = async (epoch: string): Promise<void> => {
    const { rows } = await stage.pool.query<{ epoch: string }>("SELECT epoch FROM keyline.queue WHERE name = 'present'");
    await stage.valkey.set(key("epoch"), epoch);
    await eventually("it was rebuilt", async () => {
      const now = await stage.pool.query("SELECT FROM keyline.queue WHERE rebuilt_epoch = epoch AND epoch <> $1", [rows[0]?.epoch]);
      return now.rowCount === 1 && (await noted()) === 3;
    });
  };
  await queue.addMany([{ data: "fails" }, { data: "sleeps" }]);
  await eventually("they are there", async () => (await stage.valkey.llen(key("waiting"))) === 2);
  const older = await stage.valkey.lrange(key("waiting"), 0, -1);
  const worker = queue.work(async (job) => {
    if (job.data === "fails") throw new Error("later");
    await job.sleep("nap", 600_000);
  });
  worker.on("error", () => undefined);
  await eventually("both rest", async () => (await stage.valkey.zcard(key("scheduled"))) === 2);
  await worker.stop();
  await queue.add("waits");
  await eventually("all are noted", async () => (await noted()) === 3);
  const rest = (): Promise<string[]> => stage.valkey.zrange(key("scheduled"), 0, -1);
  const present = await rest();

  await rebuilt("another-run:tag");
  expect(await rest()).toEqual(present);
  expect(await stage.valkey.llen(key("waiting"))).toBe(1);

  // An older memory; the one that counts is met behind an older copy, or is not there.
  await stage.valkey.rpush(key("waiting"), ...older);
  const failed = present.find((text) => text.includes('"fails"')) ?? "";
  await stage.valkey.zrem(key("scheduled"), failed);
  await rebuilt("a-third-run:tag");
  const again = (await rest()).filter((text) => !present.includes(text));
  expect(await rest()).toHaveLength(2);
  expect(again.map((text) => JSON.parse(text) as unknown)).toEqual([expect.objectContaining({ data: "fails", attempts: 1, again: true })]);
  expect(await stage.valkey.llen(key("waiting"))).toBe(3);
}, 60_000);
