import { Discard, type Child, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

let queues = 0;
const nextName = (): string => `around-${queues++}`;

describe.each([false, true])("a job asked for by its id (transactional: %s)", (transactional) => {
  test("tells the worker that has it, while one has it", async () => {
    const queue = openEither<number>(stage.keyline(), nextName(), { transactional });
    const hold = gate();
    const before = Date.now();
    const { id } = await queue.add(1);
    expect((await queue.job(id))?.worker).toBeUndefined();
    const worker = queue.work(() => hold.opened);
    await eventually("it runs", async () => (await queue.job(id))?.state === "running");
    const [name] = await stage.valkey.zrange(`${stage.prefix}:{${queue.name}}:workers`, 0, -1);
    expect(await queue.job(id)).toMatchObject({ worker: name });
    await eventually("the worker tells since when", async () => (await queue.job(id))?.startedAt !== undefined);
    expect((await queue.job(id))?.startedAt).toBeGreaterThanOrEqual(before);
    hold.open();
    await worker.stop();
  });

  test("tells the stack of a dead letter", async () => {
    const queue = openEither<number>(stage.keyline(), nextName(), { transactional });
    const worker = queue.work(() => {
      throw new Discard("it is no use");
    });
    const dead = new Promise((resolve) => worker.on("dead", resolve));
    const { id } = await queue.add(1);
    await dead;
    expect(await queue.job(id)).toMatchObject({ state: "dead", stack: expect.stringContaining("surroundings.test.ts") as string });
    await worker.stop();
  });

  test("tells its parent, its children by what became of them, and what their deaths do", async () => {
    const keyline = stage.keyline();
    const parents = openEither<string>(keyline, nextName(), { transactional });
    const children = openEither<string>(keyline, nextName(), { transactional });
    const ownId = "child-to-cancel";
    const list: Child[] = ["dies", "completes", "waits"].map((data) => ({ queue: children, data }));
    const own: Child = { queue: children, data: "never", options: { id: ownId } };
    const options = { children: [...list, own], onChildDead: "value" as const };
    const { id } = await (parents as Queue<string>).add("parent", options);
    expect(await parents.job(id)).toMatchObject({
      state: "parked",
      onChildDead: "value",
      children: { total: 4, open: 4, dead: 0, cancelled: 0 },
    });
    await eventually("it has come", async () => (await children.job(ownId)) !== undefined);
    expect((await children.job(ownId))?.parent).toMatchObject({ queue: parents.name, id });
    expect((await children.job(ownId))?.children).toBeUndefined();
    await children.cancel(ownId);
    const hold = gate();
    const worker = children.work(
      (job) => {
        if (job.data === "dies") throw new Discard("no");
        return job.data === "waits" ? hold.opened : undefined;
      },
      { concurrency: 3 },
    );
    const counts = { total: 4, open: 1, dead: 1, cancelled: 1 };
    await eventually("three have ended", async () => (await parents.job(id))?.children?.open === 1);
    expect((await parents.job(id))?.children).toEqual(counts);
    for await (const letter of children.deadLetters())
      expect((await children.job(letter.id))?.parent).toMatchObject({ queue: parents.name, id });
    hold.open();
    await worker.stop();
  });

  test("tells nothing of what one has not", async () => {
    const queue = openEither<number>(stage.keyline(), nextName(), { transactional });
    const { id } = await queue.add(1);
    const job = await queue.job(id);
    expect(job).toMatchObject({ state: "waiting", data: 1 });
    expect([job?.worker, job?.stack, job?.parent, job?.children, job?.onChildDead]).toEqual(Array(5).fill(undefined));
    for await (const listed of queue.jobs()) expect(listed).not.toHaveProperty("steps");
  });
});

test("a job of a transactional queue tells its steps in order, with what they returned, and waits that go on", async () => {
  const queue = stage.keyline().queue<number>(nextName(), { transactional: true });
  const worker = queue.work(async (job, { step }) => {
    await step("first", async () => ({ charged: 12 }));
    await step("second", async () => "x".repeat(60_000));
    await step("third", async () => undefined);
    await job.signalled("approved", { timeout: 86_400_000 });
  });
  const { id } = await queue.add(1);
  await eventually("it waits", async () => (await queue.job(id))?.state === "parked");
  const before = Date.now() - 60_000;
  const { steps = [] } = (await queue.job(id)) ?? {};
  expect(steps.map(({ name, kind, outcome, value }) => ({ name, kind, outcome, value }))).toEqual([
    { name: "first", kind: "step", outcome: "done", value: { charged: 12 } },
    { name: "second", kind: "step", outcome: "done", value: "x".repeat(60_000) },
    { name: "third", kind: "step", outcome: "done", value: undefined },
    { name: "approved", kind: "signal", outcome: undefined, value: undefined },
  ]);
  for (const { at } of steps) expect(at).toBeGreaterThan(before);
  expect(steps[3]?.until).toBeGreaterThan(Date.now() + 80_000_000);
  await queue.signal(id, "approved", { by: "ann" });
  await queue.waitFor(id, { timeout: 20_000 }).catch(() => undefined);
  await worker.stop();
});
