import type { AddOptions, Job } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const jobs: readonly (AddOptions & { readonly data: string })[] = [
  { data: "a1", group: "a" },
  { data: "late", delay: 600 },
  { data: "low", priority: "low" },
  { data: "a2", group: "a" },
  { data: "later", runAt: Date.now() + 3_600_000 },
  { data: "plain" },
  { data: "high", priority: "high", id: "own" },
  { data: "a3", group: "a", delay: 300, priority: "high" },
  { data: "a4", group: "a" },
  { data: "once", deduplicate: { key: "k" } },
  { data: "twice", deduplicate: { key: "k" } },
];

test("many jobs with places of their own are added by the COMMIT of a transaction, each with its own, or none of them", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<string>("within", { transactional: true });
  await expect(
    keyline.transaction(async (tx) => {
      const answers = await queue.addMany(jobs, { tx });
      expect(answers.map(({ added }) => added)).toEqual(jobs.map(({ data }) => data !== "twice"));
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, blocked: 0 });

  let ids: readonly string[] = [];
  await keyline.transaction(async (tx) => {
    const answers = await queue.addMany(jobs, { tx });
    ids = answers.map(({ id }) => id);
    expect(answers.map(({ added }) => added)).toEqual(jobs.map(({ data }) => data !== "twice"));
    expect((await queue.counts()).waiting).toBe(0);
  });
  expect(ids.at(-1)).toBe(ids.at(-2));
  expect(ids[6]).toBe("own");
  await eventually("all are there", async () => {
    const { waiting, scheduled, blocked } = await queue.counts();
    return waiting === 5 && scheduled === 2 && blocked === 3;
  });
  const ran: string[] = [];
  const began = new Map<string, number>();
  const worker = queue.work(async ({ data }: Job<string>) => {
    ran.push(data);
    const [seconds = 0, micros = 0] = await stage.valkey.time();
    began.set(data, seconds * 1_000 + micros / 1_000);
  });
  await eventually("all have run that are due", () => began.size === 9);
  await worker.stop();
  expect(ran.toSorted()).toEqual(["a1", "a2", "a3", "a4", "high", "late", "low", "once", "plain"]);
  const placeOf = (data: string): number => ran.indexOf(data);
  // What waits first goes to the list that all workers wait at, whatever its priority.
  expect(placeOf("high")).toBeLessThan(placeOf("plain"));
  expect(placeOf("plain")).toBeLessThan(placeOf("low"));
  expect(ran.filter((data) => data.startsWith("a"))).toEqual(["a1", "a2", "a3", "a4"]);
  const { rows } = await stage.pool.query<{ at: number }>(
    "SELECT (extract(epoch FROM added_at) * 1000)::float8 AS at FROM keyline.job WHERE queue = 'within'",
  );
  expect(rows).toHaveLength(1);
  const addedAt = rows[0]?.at ?? Infinity;
  expect(began.get("late")).toBeGreaterThanOrEqual(addedAt + 600);
  expect(began.get("a3")).toBeGreaterThanOrEqual(addedAt + 300);
  expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 1, blocked: 0 });
});
