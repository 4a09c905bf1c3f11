import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import type { JobsOptions, Queue, QueuedJob } from "../../../src/index.ts";

const waiting = 25_000;
const dead = 12_000;

let stage: Stage;
let queue: Queue<unknown>;
beforeAll(async () => {
  stage = await openStage();
  const keyline = stage.keyline();
  await keyline.migrate();
  queue = keyline.queue("many", { transactional: true });
  await queue.add(0, { id: "first" });
  await eventually("it was noted", async () => {
    return (await stage.pool.query("SELECT FROM keyline.job WHERE delivered_to IS NOT NULL")).rowCount === 1;
  });
  // Statistics know of none of them.
  await stage.pool.query("ALTER TABLE keyline.job SET (autovacuum_enabled = off)");
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, delivered_to, due_at, died_at, last_error, group_name, parked)
      SELECT name, kind || lpad(n::text, 6, '0'), json_build_object('n', n), CASE kind WHEN 'parked' THEN 'scheduled' ELSE kind END, epoch,
        CASE kind WHEN 'scheduled' THEN now() + interval '1 hour' END, CASE kind WHEN 'dead' THEN now() - n * interval '1 second' END,
        CASE kind WHEN 'dead' THEN 'Error: no' END, CASE WHEN kind IN ('waiting', 'dead') AND n % 5000 = 0 THEN 'rare' END,
        CASE kind WHEN 'parked' THEN 'children' END
      FROM keyline.queue, (VALUES ('waiting', $1::integer), ('dead', $2), ('scheduled', 3), ('parked', 3)) AS kinds (kind, count), generate_series(1, count) AS n
      WHERE name = 'many'`,
    [waiting, dead],
  );
});
afterAll(() => stage.close());

async function list(options: JobsOptions, of: Pick<Queue<unknown>, "jobs"> = queue): Promise<QueuedJob[]> {
  const found: QueuedJob[] = [];
  for await (const job of of.jobs(options)) found.push(job);
  return found;
}

const ids = async (options: JobsOptions): Promise<string[]> => (await list(options)).map(({ id }) => id);
const numbered = (kind: string, numbers: readonly number[]): string[] => numbers.map((n) => `${kind}${String(n).padStart(6, "0")}`);
const counted = (kind: string, count: number): string[] =>
  numbered(
    kind,
    Array.from({ length: count }, (_, index) => index + 1),
  );

test("lists all rows that fit, by their ids, also where nearly none fits", async () => {
  const scheduled = counted("scheduled", 3);
  expect(await ids({})).toEqual(
    [...counted("waiting", waiting), ...counted("dead", dead), ...scheduled, ...counted("parked", 3), "first"].toSorted(),
  );
  // Whether those of the group have their turns is another matter.
  const ungrouped = (id: string): boolean => !/[05]000$/.test(id);
  expect((await ids({ state: "waiting" })).filter(ungrouped)).toEqual(["first", ...counted("waiting", waiting).filter(ungrouped)]);
  expect(await ids({ state: "scheduled" })).toEqual(scheduled);
  expect(await ids({ state: "scheduled", contains: "2" })).toEqual(["scheduled000002"]);
  expect(await ids({ state: "parked" })).toEqual(counted("parked", 3));
});

test("lists the dead in the order of their deaths, and of a group those that are open first", async () => {
  expect(await ids({ state: "dead" })).toEqual(counted("dead", dead).toReversed());
  const [open, buried] = [numbered("waiting", [5_000, 10_000, 15_000, 20_000, 25_000]), numbered("dead", [10_000, 5_000])];
  expect(await ids({ group: "rare" })).toEqual([...open, ...buried]);
  expect(await ids({ group: "rare", state: "dead" })).toEqual(buried);
  expect(await ids({ group: "rare", state: "scheduled" })).toEqual([]);
});

test.each<JobsOptions>([{}, { state: "waiting" }, { state: "scheduled" }, { state: "dead" }, { state: "parked" }, { group: "rare" }])(
  "goes on behind any job of %j",
  async (options) => {
    const all = await list({ ...options, limit: 120 });
    const behind = await Promise.all(all.slice(0, 10).map(({ cursor }) => ids({ ...options, cursor, limit: 30 })));
    expect(behind).toEqual(all.slice(0, 10).map((_, index) => all.slice(index + 1, index + 31).map(({ id }) => id)));
  },
);

test("a cursor of another list is refused", async () => {
  const [job] = await list({ limit: 1 });
  const cursor = job?.cursor ?? "";
  await expect(list({ state: "dead", cursor })).rejects.toMatchObject({ code: "INVALID_CURSOR" });
  const foreign = Buffer.from(JSON.stringify(["dead", "nothing"])).toString("base64url");
  await expect(list({ state: "dead", cursor: foreign })).rejects.toMatchObject({ code: "INVALID_CURSOR" });
});

test("those that run are listed with their groups alone where a group is asked for", async () => {
  const own = stage.keyline().queue<number>("running", { transactional: true });
  const gate = Promise.withResolvers<void>();
  const worker = own.work(() => gate.promise, { concurrency: 3 });
  await own.addMany(["one", "two", "three"].map((id, data) => ({ data, id, ...(id === "two" && { group: "g" }) })));
  await eventually("all run", async () => (await own.counts()).running === 3);
  const running = await list({ state: "running" }, own);
  expect(running.map(({ id }) => id)).toEqual(["one", "three", "two"]);
  const behind = await list({ state: "running", cursor: running[0]?.cursor ?? "" }, own);
  expect(behind.map(({ id }) => id)).toEqual(["three", "two"]);
  expect((await list({ state: "running", group: "g" }, own)).map(({ id }) => id)).toEqual(["two"]);
  gate.resolve();
  await worker.stop();
});
