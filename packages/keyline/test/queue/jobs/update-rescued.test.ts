import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effect (data text)");
});
afterAll(() => stage.close());

// Its rescuer has died behind the move, and before it could tell the row of one more attempt.
test("an attempt whose job was rescued, and then updated, commits nothing of what it had read", async () => {
  const queue = stage.keyline().queue<string>("q", { transactional: true, lease: 60_000 });
  const key = (name: string): string => `${stage.prefix}:{q}:${name}`;
  const { id } = await queue.add("first");
  expect(await queue.update(id, { data: "second" })).toMatchObject({ updated: true });
  const begun: string[] = [];
  const release = gate();
  const worker = queue.work(async ({ data }, { settle }) => {
    begun.push(data);
    if (begun.length === 1) await release.opened;
    await settle({ text: "INSERT INTO effect VALUES ($1)", values: [data] });
  });
  worker.on("error", () => undefined);
  await eventually("it has begun with what it was updated to", () => begun.length === 1);
  const [held = ""] = await stage.valkey.keys(key("held:*"));
  const element = (await stage.valkey.rpop(held)) ?? "";
  await stage.valkey.zadd(key("scheduled"), Date.now() + 3_600_000, `{"attempts":1,${element.slice(1)}`);
  expect(await queue.update(id, { data: "third", delay: 0 })).toMatchObject({ updated: true });
  release.open();
  const effects = async (): Promise<string[]> =>
    (await stage.pool.query<{ data: string }>("SELECT data FROM effect")).rows.map(({ data }) => data);
  await eventually("it has had an effect", async () => (await effects()).length > 0);
  await eventually("its row is gone", async () => (await stage.pool.query("SELECT FROM keyline.job")).rowCount === 0);
  expect(await effects()).toEqual(["third"]);
  expect(begun).toEqual(["second", "third"]);
  await worker.stop();
}, 60_000);
