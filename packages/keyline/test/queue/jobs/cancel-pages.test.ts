import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

const count = 1_200;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

/** A time that everything that is there was added before. */
async function later(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 60));
  const now = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 60));
  return now;
}

describe.each([{ transactional: false }, { transactional: true }])(
  "many jobs at once (transactional: $transactional)",
  ({ transactional }) => {
    /** A queue on which so many wait, and as many as these were added later. */
    async function filled(name: string, others: number): Promise<{ readonly queue: EitherQueue<number>; readonly before: number }> {
      const queue = openEither<number>(stage.keyline(), `${name}-${transactional}`, { transactional });
      await queue.addMany(Array.from({ length: count }, (_, data) => ({ data })));
      const before = await later();
      await queue.addMany(Array.from({ length: others }, (_, data) => ({ data: -data })));
      await eventually("all wait", async () => (await queue.counts()).waiting === count + others);
      return { queue, before };
    }

    test("are cancelled page by page, and each page is told", async () => {
      const { queue, before } = await filled("pages", 7);
      const told: number[] = [];
      expect(await queue.cancel({ before, onProgress: ({ done }) => void told.push(done) })).toBe(count);
      expect(told.length).toBeGreaterThanOrEqual(3);
      expect(told).toEqual(told.toSorted((a, b) => a - b));
      expect(new Set(told).size).toBe(told.length);
      expect(told.at(-1)).toBe(count);
      expect(await queue.counts()).toMatchObject({ waiting: 7, scheduled: 0, running: 0 });
    });

    test("are left alone behind the page after which a signal is aborted, and the same call goes on there", async () => {
      const { queue, before } = await filled("aborted", 7);
      const ending = new AbortController();
      const told: number[] = [];
      const onProgress = ({ done }: { readonly done: number }): void => {
        told.push(done);
        if (told.length === 2) ending.abort(new Error("enough"));
      };
      await expect(queue.cancel({ before, onProgress, signal: ending.signal })).rejects.toThrow("enough");
      expect(told.length).toBe(2);
      const done = told.at(-1) ?? 0;
      expect(done).toBeLessThan(count);
      expect((await queue.counts()).waiting).toBe(count + 7 - done);
      expect(await queue.cancel({ before })).toBe(count - done);
      expect(await queue.counts()).toMatchObject({ waiting: 7, scheduled: 0, running: 0 });
      await expect(queue.cancel({ before, signal: ending.signal })).rejects.toThrow("enough");
    });

    test("are all found where one page of the lines of groups has more of them than are taken out at once", async () => {
      const queue = openEither<number>(stage.keyline(), `lines-${transactional}`, { transactional });
      // So small are they that Valkey answers with all of them at once.
      const ids = Array.from({ length: 150 }, (_, index) => `${index}`);
      await queue.addMany(ids.map((id) => ({ data: 0, id, group: "a" })));
      await eventually("they stand in line", async () => (await queue.counts()).blocked === ids.length - 1);
      expect(await queue.cancel({ ids })).toBe(ids.length);
      expect(await queue.counts()).toMatchObject({ waiting: 0, blocked: 0 });
      expect(await stage.valkey.hlen(`${stage.prefix}:{lines-${transactional}}:lines`)).toBe(0);
    });
  },
);
