import { startValkey } from "@keyline/embedded";
import { Discard, type DeadLetter, type LetterProgress } from "keyline";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lettersOf } from "../../support/letters.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { ill, openWard, type Ill, type Ward } from "../../support/ward.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const numbersOf = (letters: readonly DeadLetter[]): number[] => letters.map(({ data }) => (data as Ill).n);

/** With so many dead letters, and no worker. */
async function openMorgue(transactional: boolean, count: number): Promise<Ward> {
  const ward = openWard(stage, { transactional, concurrency: 100 });
  await ward.queue.addMany(upTo(count).map((n) => ({ data: ill(n), id: `job-${n}` })));
  await eventually("all are dead", () => ward.deaths() === count, 60_000);
  await ward.close();
  return ward;
}

describe.each([false, true])("redrive and discard (transactional: %s)", (transactional) => {
  test("act on what fits, oldest first, as a simple model says", async () => {
    const errors = fc.constantFrom("a", "b");
    const filter = fc.oneof(
      fc.record({ ids: fc.array(fc.nat(9), { maxLength: 4 }) }),
      fc.record({ error: fc.constantFrom("Discard: a", /: b$/i) }),
      fc.record({ before: fc.nat(9) }),
      fc.record({ after: fc.nat(9) }),
      fc.record({ all: fc.constant(true as const) }),
    );
    const limit = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined });
    const step = fc.record({ act: fc.constantFrom("redrive", "discard"), filter, limit, die: fc.array(errors, { maxLength: 2 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(errors, { minLength: 1, maxLength: 7 }), fc.array(step, { maxLength: 5 }), async (first, steps) => {
        const ward = openWard(stage, { transactional });
        const { queue } = ward;
        let next = 0;
        // Oldest first.
        let model: Ill[] = [];
        const die = async (many: readonly string[]): Promise<void> => {
          const jobs = many.map((error) => ill(next++, error));
          await ward.die(jobs);
          model.push(...jobs);
        };
        await die(first);
        for (const one of steps) {
          const letters = (await lettersOf(queue)).toReversed();
          const timeOf = (n: number): number => letters[n % letters.length]?.at ?? 1_000;
          const { filter: chosen } = one;
          const options =
            "ids" in chosen
              ? { ids: chosen.ids.map((n) => `job-${n}`) }
              : "before" in chosen
                ? { before: timeOf(chosen.before) }
                : "after" in chosen
                  ? { after: timeOf(chosen.after) }
                  : chosen;
          const fits = ({ n, error }: Ill, index: number): boolean => {
            const at = letters[index]?.at ?? 0;
            if ("ids" in options) return options.ids.includes(`job-${n}`);
            if ("before" in options) return at < options.before;
            if ("after" in options) return at >= options.after;
            if ("error" in options) return error === (typeof options.error === "string" ? "a" : "b");
            return true;
          };
          const meant = model.filter(fits).slice(0, one.limit);
          const before = ward.deaths();
          const full = one.limit === undefined ? options : { ...options, limit: one.limit };
          expect(await queue[one.act](full)).toBe(meant.length);
          model = model.filter((job) => !meant.includes(job));
          if (one.act === "redrive") {
            await eventually("they are dead again", () => ward.deaths() === before + meant.length);
            model.push(...meant);
          }
          const now = numbersOf(await lettersOf(queue)).toReversed();
          const again = now.slice(model.length - (one.act === "redrive" ? meant.length : 0));
          // Which of two that ran one after the other died first is up to PostgreSQL.
          model = [...model.slice(0, model.length - again.length), ...again.flatMap((n) => model.filter((job) => job.n === n))];
          expect(now).toEqual(model.map(({ n }) => n));
          await die(one.die);
        }
        await ward.close();
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  test("tell how far they are, page by page, and stop between two pages when they are told to", async () => {
    const { queue } = await openMorgue(transactional, 1_200);
    const steps: LetterProgress[] = [];
    const controller = new AbortController();
    const onProgress = (progress: LetterProgress): void => {
      steps.push(progress);
      controller.abort(new Error("enough"));
    };
    await expect(queue.redrive({ all: true, onProgress, signal: controller.signal })).rejects.toThrow("enough");
    expect(steps).toEqual([{ done: 500, total: 1_200 }]);
    await eventually("what was done stays done", async () => (await queue.counts()).waiting === 500);
    expect((await queue.counts()).dead).toBe(700);
    steps.length = 0;
    expect(await queue.discard({ error: "no", onProgress: (progress) => void steps.push(progress) })).toBe(700);
    expect(steps.map(({ done }) => done).filter((done, index, all) => done !== all[index - 1])).toEqual([500, 700]);
    expect(steps.every(({ total }) => total === undefined)).toBe(true);
    expect(await queue.counts()).toMatchObject({ dead: 0, dropped: 0, waiting: 500 });
    await expect(queue.discard({ all: true, signal: AbortSignal.abort(new Error("never")) })).rejects.toThrow("never");
  }, 90_000);

  test("a redrive gives no job a second chance that dies again while it goes on", async () => {
    const { queue } = await openMorgue(transactional, 1_200);
    const attempts: number[] = [];
    const worker = queue.work(
      (job) => {
        attempts.push(job.attempt);
        throw new Discard("still");
      },
      { concurrency: 100 },
    );
    await queue.discard({ ids: ["job-0"] });
    // Some are dead again before the next page begins.
    const handled = await queue.redrive({ all: true, onProgress: () => eventually("some have died again", () => attempts.length > 0) });
    expect(handled).toBe(1_199);
    await eventually("all are dead again", async () => (await queue.counts()).dead === 1_199, 60_000);
    await worker.stop();
    expect(attempts).toEqual(upTo(1_199).map(() => 1));
  }, 90_000);

  test("of several at the same time each letter is acted on by one", async () => {
    const { queue } = await openMorgue(transactional, 700);
    const acted = await Promise.all([queue.redrive({ all: true }), queue.redrive({ error: "no" }), queue.discard({ all: true })]);
    expect(acted[0] + acted[1] + acted[2]).toBe(700);
    await eventually("what was redriven waits", async () => (await queue.counts()).waiting === acted[0] + acted[1]);
    expect((await queue.counts()).dead).toBe(0);
  }, 60_000);

  test("large jobs are moved too, a few in a step", async () => {
    const queue = (await openMorgue(transactional, 0)).queue;
    const worker = queue.work(() => Promise.reject(new Error("no")));
    const error = "x".repeat(900_000);
    await queue.addMany(upTo(12).map((n) => ({ data: ill(n, error), maxAttempts: 1 })));
    await eventually("all are dead", async () => (await queue.counts()).dead === 12, 60_000);
    await worker.stop();
    const numbers = numbersOf(await lettersOf(queue)).toReversed();
    expect(numbers.toSorted((one, other) => one - other)).toEqual(upTo(12));
    expect(await queue.redrive({ all: true })).toBe(12);
    const seen: number[] = [];
    const other = queue.work((job) => void seen.push(job.data.n));
    await eventually("all ran", () => seen.length === 12);
    await other.stop();
    expect(seen).toEqual(numbers);
  }, 60_000);
});

test("an own id that was added again: its letter stays, and the one behind it takes its place up to the limit", async () => {
  const { queue } = await openMorgue(false, 3);
  await queue.add(ill(9), { id: "job-0" });
  expect(await queue.redrive({ all: true, limit: 1 })).toBe(1);
  expect(numbersOf(await lettersOf(queue))).toEqual([2, 0]);
  expect(await queue.redrive({ ids: ["job-0"] })).toBe(0);
});

test("an own id that died more than once has all its letters, and each can be told apart by its time", async () => {
  const { queue } = await openMorgue(false, 1);
  const worker = queue.work(() => Promise.reject(new Error("again")));
  await queue.add(ill(1), { id: "job-0", maxAttempts: 1 });
  await eventually("both are dead", async () => (await queue.counts()).dead === 2);
  await worker.stop();
  expect(numbersOf(await lettersOf(queue, { ids: ["job-0"] }))).toEqual([1, 0]);
  expect(await queue.redrive({ ids: ["job-0"] })).toBe(1);
  expect(numbersOf(await lettersOf(queue))).toEqual([1]);
  expect(await queue.discard({ ids: ["job-0"] })).toBe(1);
});

test("where Valkey's memory has run out a letter is written, none is lost by a redrive, and discarding works", async () => {
  const own = await startValkey();
  const full = await openStage({ valkeyUrl: own.url });
  const ward = openWard(full, { transactional: false });
  const { queue } = ward;
  await ward.die([ill(0), ill(1)]);
  await queue.add(ill(2), { id: "job-2" });
  await eventually("all are dead", () => ward.deaths() === 3);
  await ward.close();
  const release = Promise.withResolvers<void>();
  const worker = queue.work(() => release.promise.then(() => Promise.reject(new Error("no"))));
  await queue.add(ill(3), { id: "job-3", maxAttempts: 1 });
  await eventually("it runs", async () => (await queue.counts()).running === 1);
  await full.valkey.config("SET", "maxmemory", "1");
  release.resolve();
  await eventually("it is dead too", async () => (await queue.counts()).dead === 4);
  await worker.stop();
  await expect(queue.redrive({ all: true })).rejects.toThrow(/OOM/);
  expect(await queue.counts()).toMatchObject({ dead: 4, waiting: 0 });
  expect(numbersOf(await lettersOf(queue))).toEqual([3, 2, 1, 0]);
  expect(await queue.discard({ ids: ["job-3"] })).toBe(1);
  await full.valkey.config("SET", "maxmemory", "0");
  expect(await queue.redrive({ all: true })).toBe(3);
  expect(await queue.add(ill(0), { id: "job-0" })).toMatchObject({ added: false });
  expect(await queue.counts()).toMatchObject({ dead: 0, waiting: 3 });
  await full.close();
  await own.stop();
}, 60_000);
