import { Discard, type Child, type FamilyNode, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

let queues = 0;

interface Shape {
  readonly id: string;
  readonly children: readonly Shape[];
}

const shapeOf = ({ id, children }: FamilyNode): Shape => ({ id, children: children.map(shapeOf) });
const leaf = (id: string): Shape => ({ id, children: [] });

describe.each([false, true])("family (transactional: %s)", (transactional) => {
  function open(): readonly [Queue<string>, Queue<string>] {
    const keyline = stage.keyline();
    const one = (): Queue<string> => openEither<string>(keyline, `kin-${queues++}`, { transactional });
    return [one(), one()];
  }

  test("tells what is below a job, of several queues, and who is above it", async () => {
    const [upper, lower] = open();
    const grandchildren: Child[] = ["c", "d"].map((id) => ({ queue: lower, data: id, options: { id } }));
    const children: Child[] = [
      { queue: lower, data: "a", options: { id: "a" } },
      { queue: upper, data: "b", options: { id: "b", children: grandchildren } },
    ];
    await upper.add("root", { id: "root", children });
    await eventually("all have come", async () => (await lower.job("d")) !== undefined);
    const root = await upper.family("root");
    expect(root).toMatchObject({ queue: upper.name, id: "root", state: "parked", above: [], next: undefined });
    expect(root && shapeOf(root)).toEqual({ id: "root", children: [leaf("a"), { id: "b", children: [leaf("c"), leaf("d")] }] });
    expect(root?.children.map(({ queue, next }) => [queue, next])).toEqual([
      [lower.name, undefined],
      [upper.name, undefined],
    ]);
    expect(await lower.family("d")).toEqual({
      queue: lower.name,
      id: "d",
      state: "waiting",
      reason: undefined,
      children: [],
      next: undefined,
      above: [
        { queue: upper.name, id: "root" },
        { queue: upper.name, id: "b" },
      ],
    });
    expect(await upper.family("b")).toMatchObject({ state: "parked", above: [{ id: "root" }], children: [{ id: "c" }, { id: "d" }] });
    await upper.cancel("root");
  });

  test("tells how those below have ended, and why", async () => {
    const [upper, lower] = open();
    const children: Child[] = ["dies", "completes", "later"].map((id) => ({
      queue: lower,
      data: id,
      options: { id, ...(id === "later" ? { delay: 86_400_000 } : {}) },
    }));
    const worker = lower.work((job) => {
      if (job.data === "dies") throw new Discard("no use");
    });
    await upper.add("root", { id: "root", children, onChildDead: "value" });
    await eventually("two have ended", async () => (await upper.job("root"))?.children?.open === 1);
    const root = await upper.family("root");
    expect(root?.children.map(({ id, state, reason }) => ({ id, state, reason }))).toEqual([
      { id: "dies", state: "dead", reason: expect.stringContaining("no use") as string },
      { id: "completes", state: "completed", reason: undefined },
      { id: "later", state: transactional ? "scheduled" : "open", reason: undefined },
    ]);
    await worker.stop();
    await upper.cancel("root");
  });

  test("goes over many children in pages, each behind the one before", async () => {
    const [upper, lower] = open();
    const ids = Array.from({ length: 130 }, (_, n) => `child-${n}`);
    await upper.add("root", { id: "root", children: ids.map((id) => ({ queue: lower, data: id, options: { id } })) });
    const met: string[] = [];
    let pages = 0;
    for (let cursor: string | undefined = ""; cursor !== undefined; pages++) {
      const page: Awaited<ReturnType<typeof upper.family>> = await upper.family(
        "root",
        cursor === "" ? { limit: 50 } : { limit: 50, cursor },
      );
      met.push(...(page?.children.map(({ id }) => id) ?? []));
      cursor = page?.next;
    }
    expect(met).toEqual(ids);
    expect(pages).toBe(3);
    await upper.cancel("root");
  });

  test("stops at its limit, and says where it goes on", async () => {
    const [upper, lower] = open();
    const below = (id: string): Child[] => Array.from({ length: 3 }, (_, n) => ({ queue: lower, data: id, options: { id: `${id}-${n}` } }));
    const children: Child[] = ["a", "b"].map((id) => ({ queue: lower, data: id, options: { id, children: below(id) } }));
    await upper.add("root", { id: "root", children });
    await eventually("all have come", async () => (await lower.job("b-2")) !== undefined);
    const level = await upper.family("root", { limit: 2 });
    expect(level && shapeOf(level)).toEqual({ id: "root", children: [leaf("a"), leaf("b")] });
    const [a] = level?.children ?? [];
    expect(a?.next).toEqual(expect.any(String));
    const rest = await lower.family("a", { cursor: a?.next ?? "" });
    expect(rest && shapeOf(rest)).toEqual({ id: "a", children: ["a-0", "a-1", "a-2"].map(leaf) });
    const some = await upper.family("root", { limit: 6 });
    expect(some?.children.map((child) => [child.children.length, child.next === undefined])).toEqual([
      [2, false],
      [2, false],
    ]);
    await upper.cancel("root");
  });

  test("of a job without a family is that job, and of none undefined", async () => {
    const [queue] = open();
    const { id } = await queue.add("alone");
    expect(await queue.family(id)).toEqual({
      queue: queue.name,
      id,
      state: "waiting",
      reason: undefined,
      children: [],
      next: undefined,
      above: [],
    });
    expect(await queue.family("unknown")).toBeUndefined();
  });

  test("refuses what is no id, option or cursor", async () => {
    const [queue] = open();
    await expect(queue.family("no id")).rejects.toMatchObject({ code: "INVALID_ID" });
    await expect(queue.family("id", { limit: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(queue.family("id", { limit: 1_001 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(queue.family("id", { depth: 1 } as object)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(queue.family("id", { cursor: "first" })).rejects.toMatchObject({ code: "INVALID_CURSOR" });
  });
});
