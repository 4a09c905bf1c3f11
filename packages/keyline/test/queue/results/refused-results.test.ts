import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { Keyline } from "keyline";
import { openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  const name = `${stage.prefix}_latin`;
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  await client.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`);
  await client.end();
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${name}`;
  keyline = stage.keyline({ postgres: url.href });
  await keyline.migrate();
});
afterAll(() => stage.close());

const rules = { transactional: true, keepResult: 60_000, maxAttempts: 2, backoff: () => 10 } as const;
const refused = expect.stringContaining("NOT_STORABLE: PostgreSQL cannot store the result for job") as string;

test("a result that the database cannot store is a failed attempt that says so, and takes nobody of its moment down", async () => {
  const queue = keyline.queue<number>("results", rules);
  const texts = Array.from({ length: 20 }, (_, n) => (n === 7 ? "😀" : `n${n} é`));
  const added = await queue.addMany(texts.map((_, data) => ({ data })));
  const worker = queue.work((job) => texts[job.data], { concurrency: 20 });
  const ended = await Promise.allSettled(added.map(({ id }) => queue.waitFor(id, { timeout: 20_000 })));
  for (const [n, one] of ended.entries()) {
    if (n === 7) expect(one).toMatchObject({ reason: { code: "JOB_DEAD", attempts: 2, reason: refused } });
    else expect(one).toEqual({ status: "fulfilled", value: texts[n] });
  }
  await worker.stop();
});

test("so is that of a child, whose parent is told", async () => {
  const texts = ["a", "😀", "b"];
  const [parents, children] = [keyline.queue<number>("parents", rules), keyline.queue<number>("children", { ...rules, keepResult: 0 })];
  const workers = [
    parents.work(async (job) => {
      const told: unknown[] = [];
      for await (const { value, outcome, reason } of job.children()) told.push(value ?? [outcome, reason?.slice(0, 12)]);
      return told;
    }),
    children.work((job) => texts[job.data], { concurrency: 3 }),
  ];
  const below = texts.map((_, data) => ({ queue: children, data }));
  const { id } = await parents.add(0, { children: below, onChildDead: "value" });
  expect(await parents.waitFor(id, { timeout: 20_000 })).toEqual(["a", ["dead", "NOT_STORABLE"], "b"]);
  await Promise.all(workers.map((worker) => worker.stop()));
});

test("one that comes behind a settle is told as an error, and the job has ended without it", async () => {
  const queue = keyline.queue<number>("settled", rules);
  const told: unknown[] = [];
  const worker = queue.work(async (_, { settle }) => {
    await settle(() => Promise.resolve());
    return "😀";
  });
  worker.on("error", (error) => told.push((error as { readonly code?: unknown }).code));
  const { id } = await queue.add(1);
  expect(await queue.waitFor(id, { timeout: 20_000 })).toBeUndefined();
  await worker.stop();
  expect(told).toEqual(["NOT_STORABLE"]);
});
