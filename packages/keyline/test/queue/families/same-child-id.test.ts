import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test("a parent is given what its own child settled with, also where another family has had a child with that id since", async () => {
  const keyline = stage.keyline();
  const rules = { transactional: true } as const;
  const [parents, children, slow] = ["parents", "children", "slow"].map((name) => keyline.queue<number>(name, rules));
  if (!parents || !children || !slow) throw new Error("there are three");
  const goOn = gate();
  const workers = [
    parents.work(async (job) => {
      const values: unknown[] = [];
      for await (const { value } of job.children()) values.push(value);
      return values;
    }),
    children.work(async (job, { settle }) => void (await settle(() => Promise.resolve(job.data)))),
    slow.work(() => goOn.opened),
  ];
  const child = (data: number) => ({ queue: children, data, options: { id: "same" } });
  const first = await parents.add(0, { keepResult: 60_000, children: [child(1), { queue: slow, data: 0 }] });
  await eventually("its child has ended", async () => (await children.job("same")) === undefined);
  const second = await parents.add(0, { keepResult: 60_000, children: [child(2)] });
  expect(await parents.waitFor(second.id)).toEqual([2]);
  goOn.open();
  expect(await parents.waitFor(first.id)).toEqual([1, null]);
  await Promise.all(workers.map((worker) => worker.stop()));
});
