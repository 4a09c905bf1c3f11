import type { Limits } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

describe.each([{ transactional: false }, { transactional: true }])(
  "of limits the last write counts (transactional: $transactional)",
  (how) => {
    /** As a process of its own has it. */
    const open = (name: string, limits?: Limits): EitherQueue<number> =>
      openEither<number>(stage.keyline(), `${name}-${how.transactional}`, { ...how, ...(limits && { limits }) });

    /** Works until so many have run, and returns the most that did at a time. */
    async function mostOf(queue: EitherQueue<number>): Promise<number> {
      let running = 0;
      let most = 0;
      let ran = 0;
      const work = async (): Promise<void> => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        ran++;
      };
      const worker = queue.work(work, { concurrency: 10 });
      await queue.addMany(Array.from({ length: 60 }, (_, data) => ({ data })));
      await eventually("all have run", () => ran === 60);
      await worker.stop();
      return most;
    }

    test("the option of a process that comes later over what setLimits has said, and of it only what it names", async () => {
      const first = open("option-last");
      await first.setLimits({ concurrency: 2, rate: { max: 1_000, per: 1_000 } });
      expect(await mostOf(first)).toBe(2);
      const later = open("option-last", { concurrency: 4 });
      expect(await mostOf(later)).toBe(4);
      for (const queue of [first, later]) expect(await queue.limits()).toEqual({ concurrency: 4, rate: { max: 1_000, per: 1_000 } });
      // It is said once: what is said behind it is not taken back by a further worker of the same process.
      await first.setLimits({ concurrency: 3 });
      expect(await mostOf(later)).toBe(3);
      expect(await later.limits()).toEqual({ concurrency: 3, rate: { max: 1_000, per: 1_000 } });
    });

    test("what setLimits says over the option, whichever process says it, and after a further process has begun without one", async () => {
      const first = open("call-last", { concurrency: 5 });
      expect(await mostOf(first)).toBe(5);
      await first.setLimits({ concurrency: 2 });
      expect(await mostOf(first)).toBe(2);
      const other = open("call-last");
      expect(await mostOf(other)).toBe(2);
      await other.setLimits({ concurrency: null });
      expect(await first.limits()).toEqual({});
      expect(await mostOf(first)).toBeGreaterThan(5);
      const last = open("call-last", { concurrency: 1 });
      await last.setLimits({ concurrency: 3 });
      expect(await mostOf(first)).toBe(3);
    });
  },
);
