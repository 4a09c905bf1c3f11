import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { lettersOf } from "../../support/letters.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

type N = { readonly n: number };

const idOf = (n: number): { readonly id?: string } => (n % 3 === 0 ? { id: `own-${n}` } : {});
const numbers = (elements: readonly string[]): number[] =>
  elements.map((element) => (JSON.parse(element) as { readonly data: N }).data.n).toReversed();
const waiting = async (queue: string): Promise<number[]> => numbers(await stage.valkey.lrange(`${stage.prefix}:{${queue}}:waiting`, 0, -1));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test("jobs with ids of the caller's and without are there in the order in which one turn added them", async () => {
  const queue = stage.keyline().queue<N>("mixed");
  const results = await Promise.all(upTo(100).map((n) => queue.add({ n }, idOf(n))));
  expect(results.every(({ added }) => added)).toBe(true);
  expect(results.filter((_, n) => n % 3 === 0).map(({ id }) => id)).toEqual(
    upTo(100)
      .filter((n) => n % 3 === 0)
      .map((n) => `own-${n}`),
  );
  expect(await waiting("mixed")).toEqual(upTo(100));
});

test("addMany keeps its order across both kinds, and more pages than one of each", async () => {
  const queue = stage.keyline().queue<N>("many");
  const kindOf = (n: number): { readonly id?: string } => (n % 1_000 < 600 ? { id: `own-${n}` } : {});
  const results = await queue.addMany(upTo(3_000).map((n) => ({ data: { n }, ...kindOf(n) })));
  expect(results.every(({ added }) => added)).toBe(true);
  expect(await waiting("many")).toEqual(upTo(3_000));
});

test("the order stands also where the server does not know the script any more, and over several turns", async () => {
  const queue = stage.keyline().queue<N>("forgotten");
  await queue.add({ n: 0 }, { id: "first" });
  await stage.valkey.script("FLUSH");
  const adds: Promise<unknown>[] = [];
  for (let n = 1; n <= 20; n++) {
    adds.push(queue.add({ n }, n % 2 === 0 ? { id: `own-${n}` } : {}));
    if (n % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(adds);
  expect(await waiting("forgotten")).toEqual(upTo(21));
});

test("of two adds with the same id in one turn the first is added", async () => {
  const queue = stage.keyline().queue<N>("twice");
  const results = await Promise.all([queue.add({ n: 0 }, { id: "a" }), queue.add({ n: 1 }), queue.add({ n: 2 }, { id: "a" })]);
  expect(results.map(({ added }) => added)).toEqual([true, true, false]);
  expect(await waiting("twice")).toEqual([0, 1]);
});

test("the id of a redriven job is known again until the job is settled", async () => {
  const queue = stage.keyline().queue<N>("redriven", { maxAttempts: 1 });
  let isBroken = true;
  const ran: number[] = [];
  const worker = queue.work((job) => {
    if (isBroken) throw new Error("out of paper");
    ran.push(job.data.n);
  });
  await queue.add({ n: 1 }, { id: "order-1", maxAttempts: 1 });
  await eventually("it is dead", async () => (await queue.counts()).dead === 1);
  await worker.stop();
  expect(await queue.redrive({ all: true })).toBe(1);
  expect(await queue.add({ n: 2 }, { id: "order-1" })).toEqual({ id: "order-1", added: false });
  isBroken = false;
  const other = queue.work((job) => void ran.push(job.data.n));
  await eventually("it ran", () => ran.length === 1);
  await other.stop();
  expect(await queue.add({ n: 3 }, { id: "order-1" })).toEqual({ id: "order-1", added: true });
  expect(await waiting("redriven")).toEqual([3]);
});

test("a dead letter whose id was added again stays one, and those behind it are redriven", async () => {
  const queue = stage.keyline().queue<N>("taken-over", { maxAttempts: 1 });
  const worker = queue.work(() => {
    throw new Error("out of paper");
  });
  await queue.addMany(upTo(700).map((n) => ({ data: { n }, id: `own-${n}` })));
  await eventually("all are dead", async () => (await queue.counts()).dead === 700);
  await worker.stop();
  await queue.add({ n: 1_000 }, { id: "own-0" });
  expect(await queue.redrive({ all: true })).toBe(699);
  expect(await lettersOf(queue)).toMatchObject([{ id: "own-0", data: { n: 0 } }]);
  expect(await waiting("taken-over")).toEqual([1_000, ...upTo(700).slice(1)]);
});
