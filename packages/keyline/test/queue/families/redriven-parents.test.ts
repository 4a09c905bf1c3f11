import { afterAll, beforeAll, expect, test } from "vitest";
import { Discard, type Queue } from "keyline";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test.each([{ transactional: false }, { transactional: true }])(
  "a parent that its child's death has killed goes on when it is redriven, also behind childrenEnded, and is told of it (transactional: $transactional)",
  async ({ transactional }) => {
    const keyline = stage.keyline();
    const open = (name: string): Queue<number, number, true> =>
      keyline.queue<number>(`${name}-${transactional}`, { transactional, keepResult: 60_000 } as { transactional: true });
    const [parents, children] = [open("parents"), open("children")];
    const worker = parents.work(async (job) => {
      await job.childrenEnded();
      const told: unknown[] = [];
      for await (const { outcome, reason } of job.children()) told.push([outcome, reason]);
      return told;
    });
    const childWorker = children.work(() => {
      throw new Discard("too bad");
    });
    const { id } = await parents.add(0, { children: [{ queue: children, data: 1 }] });
    await eventually("it is dead", async () => (await parents.job(id))?.state === "dead");
    expect(await parents.redrive({ ids: [id] })).toBe(1);
    expect(await parents.waitFor(id, { timeout: 20_000 })).toEqual([["dead", "Discard: too bad"]]);
    await Promise.all([worker.stop(), childWorker.stop()]);
  },
);
