import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedValkey, startValkey } from "@keyline/embedded";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

// Valkey comes back with an older append-only file: what has been settled since is there again, and what was added since is not.

let folder: string;
let valkey: EmbeddedValkey;
let stage: Stage;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keyline-old-memory-"));
  valkey = await startValkey({ dir: join(folder, "now"), persistence: true });
  stage = await openStage({ valkeyUrl: valkey.url });
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effect (number integer)");
});
afterAll(async () => {
  await stage.close();
  await valkey.stop();
  await rm(folder, { recursive: true });
});

async function comeBackWith(copy: { readonly from: string; readonly to: string }): Promise<void> {
  const { port } = new URL(valkey.url);
  await valkey.stop();
  await rm(copy.to, { recursive: true, force: true });
  await cp(copy.from, copy.to, { recursive: true });
  valkey = await startValkey({ dir: join(folder, "now"), port: Number(port), persistence: true });
}

const ids = (rows: readonly { readonly number: number }[]): number[] => rows.map(({ number }) => number).toSorted((a, b) => a - b);

test("an older append-only file brings back what is settled and loses what is not: each effect is there once", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("orders", { transactional: true });
  const add = (from: number, to: number): Promise<unknown> =>
    queue.addMany(Array.from({ length: to - from }, (_, index) => ({ data: from + index })));
  const effects = async (): Promise<number[]> => ids((await stage.pool.query<{ number: number }>("SELECT number FROM effect")).rows);
  await add(0, 100);
  await eventually("they are there", async () => (await queue.counts()).waiting === 100);
  await comeBackWith({ from: join(folder, "now"), to: join(folder, "old") });
  let begun = 0;
  const work = (): ReturnType<typeof queue.work> =>
    queue.work(
      async ({ data }, { settle }) => {
        begun++;
        await settle(async (tx) => void (await tx.query("INSERT INTO effect VALUES ($1)", [data])));
      },
      { concurrency: 5 },
    );
  const worker = work();
  await eventually("all are settled", async () => (await effects()).length === 100);
  await worker.stop();
  await add(100, 200);
  // Beside copies of some that were settled while it was looked which of them are there.
  await eventually("they are there", async () => (await queue.counts()).waiting >= 100);
  await comeBackWith({ from: join(folder, "old"), to: join(folder, "now") });
  const client = stage.valkey;
  await eventually("what was settled is back", async () => (await client.llen(`${stage.prefix}:{orders}:waiting`).catch(() => 0)) >= 100);
  const before = begun;
  const again = work();
  await eventually("all are settled", async () => (await effects()).length >= 200, 60_000);
  await eventually("nothing is left", async () => {
    const { waiting, running, scheduled } = await queue.counts();
    return waiting + running + scheduled === 0;
  });
  await again.stop();
  expect(begun - before).toBeGreaterThanOrEqual(100);
  expect(await effects()).toEqual(Array.from({ length: 200 }, (_, number) => number));
  expect((await stage.pool.query("SELECT FROM keyline.job")).rowCount).toBe(0);
});

test("a job that had failed and one that slept go on where an older append-only file brings back what they were before", async () => {
  const options = { transactional: true, backoff: { type: "fixed", delay: 5_000, jitter: 0 } } as const;
  const queue = stage.keyline().queue<string>("resting", options);
  await queue.addMany([{ data: "fails" }, { data: "sleeps" }]);
  await eventually("they are there", async () => (await queue.counts()).waiting === 2);
  await comeBackWith({ from: join(folder, "now"), to: join(folder, "before") });
  const ended: string[] = [];
  const work = (): ReturnType<typeof queue.work> => {
    const worker = queue.work(async (job) => {
      if (job.data === "sleeps") await job.sleep("nap", 5_000);
      else if (job.attempt === 1) throw new Error("later");
      ended.push(job.data);
    });
    worker.on("error", () => undefined);
    return worker;
  };
  const worker = work();
  await eventually("both rest, and that is noted", async () => {
    const noted = `SELECT FROM keyline.job JOIN keyline.queue ON name = queue
      WHERE name = 'resting' AND delivered_to = epoch AND rebuilt_epoch = epoch AND (attempts = 1 OR parks = 1)`;
    return (await stage.pool.query(noted)).rowCount === 2;
  });
  await worker.stop();
  expect(ended).toEqual([]);
  await comeBackWith({ from: join(folder, "before"), to: join(folder, "now") });
  const again = work();
  await eventually("both have ended", () => ended.length === 2, 30_000);
  expect(ended.toSorted()).toEqual(["fails", "sleeps"]);
  await again.stop();
}, 90_000);
