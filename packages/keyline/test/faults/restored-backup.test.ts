import type { Job } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test("PostgreSQL comes back from a backup: once the epoch is deleted, all that the backup has runs, and nothing that it does not have", async () => {
  const queue = () => stage.keyline().queue<string>("restored", { transactional: true });
  await stage.pool.query("CREATE TABLE ran (text text)");
  const work = () =>
    queue().work(async (job: Job<string>, { settle }) => {
      await settle(async (tx) => void (await tx.query("INSERT INTO ran VALUES ($1)", [job.data])));
    });
  const ran = async () => (await stage.pool.query<{ text: string }>("SELECT text FROM ran ORDER BY text")).rows.map(({ text }) => text);
  const key = (name: string) => `${stage.prefix}:{restored}:${name}`;

  // The backup has a job that is settled later, a dead letter is none of it, and one that waits for long.
  const first = queue();
  await first.add("in the backup");
  await first.add("in the backup, later", { delay: 3_600_000 });
  await eventually("both are delivered, and noted", async () => {
    const { rows } = await stage.pool.query("SELECT FROM keyline.job WHERE delivered_to IS NOT NULL");
    return rows.length === 2;
  });
  await stage.pool.query("CREATE TABLE backup AS SELECT * FROM keyline.job; CREATE TABLE ran_backup AS SELECT * FROM ran");

  const worker = work();
  await first.add("behind the backup, settled");
  await eventually("they have run", async () => (await ran()).length === 2);
  await worker.stop();
  await first.add("behind the backup, waiting");
  await eventually("it is delivered", async () => (await stage.valkey.llen(key("waiting"))) === 1);

  // What a restore does, as far as Keyline sees it.
  await stage.pool.query("TRUNCATE keyline.job, ran");
  await stage.pool.query("INSERT INTO keyline.job OVERRIDING SYSTEM VALUE SELECT * FROM backup; INSERT INTO ran SELECT * FROM ran_backup");
  expect(await ran()).toEqual([]);

  await stage.valkey.del(key("epoch"));
  const again = work();
  await eventually("it has run again", async () => (await ran()).length === 1 && (await stage.valkey.llen(key("waiting"))) === 0, 40_000);
  expect(await ran()).toEqual(["in the backup"]);
  const { rows } = await stage.pool.query<{ data: string }>("SELECT data FROM keyline.job");
  expect(rows).toEqual([{ data: "in the backup, later" }]);
  expect(await stage.valkey.zcard(key("scheduled"))).toBe(1);
  await again.stop();
}, 90_000);
