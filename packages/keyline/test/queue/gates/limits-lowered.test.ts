import type { Job } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither, type EitherQueue } from "../../support/either-queue.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const hour = 3_600_000;

describe.each([{ transactional: false }, { transactional: true }])(
  "the limit of groups that is lowered (transactional: $transactional)",
  (how) => {
    const { transactional } = how;
    const open = (name: string): EitherQueue<number> => openEither<number>(stage.keyline(), `${name}-${transactional}`, how);
    const numbered = (count: number, group: string): { data: number; group: string }[] =>
      Array.from({ length: count }, (_, data) => ({ data, group }));
    const lowered = (name: string): Promise<string | null> =>
      stage.valkey.hget(`${stage.prefix}:{${name}-${transactional}}:gates`, "group.lowered");

    test.each([
      { what: "to two", group: { concurrency: 2 }, most: 2 },
      { what: "to one", group: { concurrency: 1 }, most: 1 },
      { what: "by taking it away", group: null, most: 1 },
    ])("holds for jobs that were let in before and have not begun ($what)", async ({ what, group, most }) => {
      const name = what.replaceAll(" ", "-");
      const queue = open(name);
      await queue.setLimits({ group: { concurrency: 4 } });
      for (const one of ["a", "b"]) await queue.addMany(numbered(10, one));
      await eventually("four of each are let in", async () => (await queue.counts()).waiting === 8);
      await queue.setLimits({ group });
      const running = new Map<string, number>();
      const mostOf = new Map<string, number>();
      const began = new Map<string, number[]>();
      let ran = 0;
      const work = async ({ data, group: of = "" }: Job<number>): Promise<void> => {
        began.set(of, [...(began.get(of) ?? []), data]);
        running.set(of, (running.get(of) ?? 0) + 1);
        mostOf.set(of, Math.max(mostOf.get(of) ?? 0, running.get(of) ?? 0));
        await new Promise((resolve) => setTimeout(resolve, 10));
        running.set(of, (running.get(of) ?? 0) - 1);
        ran++;
      };
      const workers = [1, 2].map(() => openEither<number>(stage.keyline(), queue.name, how).work(work, { concurrency: 10 }));
      await eventually("all have run", () => ran === 20);
      expect(Object.fromEntries(mostOf)).toEqual({ a: most, b: most });
      if (most === 1) for (const order of began.values()) expect(order).toEqual(Array.from({ length: 10 }, (_, data) => data));
      // Nothing is looked at any more than without it.
      await eventually("it is forgotten", async () => (await lowered(name)) === null);
      await Promise.all(workers.map((worker) => worker.stop()));
      expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, blocked: 0, running: 0 });
    });

    test("has no job begin before fewer run than it says", async () => {
      const queue = open("running");
      await queue.setLimits({ group: { concurrency: 4 } });
      const gates = Array.from({ length: 10 }, () => gate());
      const began: number[] = [];
      const worker = queue.work(
        async ({ data }: Job<number>) => {
          began.push(data);
          await gates[data]?.opened;
        },
        { concurrency: 10 },
      );
      await queue.addMany(numbered(10, "g"));
      await eventually("four run", () => began.length === 4);
      await queue.setLimits({ group: { concurrency: 2 } });
      for (const data of [0, 1]) {
        gates[data]?.open();
        await eventually("it has ended", async () => (await queue.counts()).running === 3 - data);
        for (let look = 0; look < 10; look++) expect(await queue.counts()).toMatchObject({ running: 3 - data });
      }
      expect(began).toHaveLength(4);
      gates[2]?.open();
      await eventually("there is room for one", () => began.length === 5);
      for (let look = 0; look < 10; look++) expect((await queue.counts()).running).toBeLessThanOrEqual(2);
      for (const each of gates) each.open();
      await eventually("nothing is left", async () => (await queue.counts()).running === 0 && began.length === 10);
      await worker.stop();
    });

    test("counts for a rate only what begins", async () => {
      const queue = open("rated");
      await queue.setLimits({ group: { concurrency: 3 } });
      await queue.addMany(numbered(6, "g"));
      await eventually("three are let in", async () => (await queue.counts()).waiting === 3);
      await queue.setLimits({ group: { concurrency: 1, rate: { max: 3, per: hour } } });
      const ran: number[] = [];
      const worker = queue.work(({ data }: Job<number>) => void ran.push(data), { concurrency: 5 });
      await eventually("as many have run as may", () => ran.length === 3);
      expect(ran).toEqual([0, 1, 2]);
      await eventually("nothing runs", async () => (await queue.counts()).running === 0);
      for (let look = 0; look < 10; look++) expect((await queue.counts()).running).toBe(0);
      expect(ran).toEqual([0, 1, 2]);
      await worker.stop();
    });
  },
);
