import { afterAll, beforeAll, expect, test } from "vitest";
import { openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());

const groups = 10_000;
/** So many of them are asked for at a time. */
const page = 50;

interface Asked {
  readonly names: readonly string[];
  readonly calls: number;
}

async function askedFor(work: () => Promise<readonly string[]>): Promise<Asked> {
  await stage.valkey.config("RESETSTAT");
  const names = await work();
  const stats = await stage.valkey.info("commandstats");
  // Of what a script sends nothing is counted, and neither is the length of each line.
  const found = [...stats.matchAll(/cmdstat_(?:eval|evalsha|hgetall|hmget|smismember):calls=(\d+)/g)];
  const calls = found.reduce((sum, [, count]) => sum + Number(count), 0);
  return { names, calls };
}

test("few groups of ten thousand that are blocked are found by a walk in pages", async () => {
  const queue = stage.keyline().queue<number>("grouped");
  const add = (of: readonly number[]): Promise<unknown> => queue.addMany(of.map((number) => ({ data: number, group: `g${number}` })));
  const all = Array.from({ length: groups }, (_, number) => number);
  await add(all);
  const blocked = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of queue.groups({ state: "blocked" })) names.push(name);
    return names;
  };
  const none = await askedFor(blocked);
  expect(none.names).toEqual([]);
  // A counter knows that no job stands in a line.
  expect(none.calls).toBeLessThan(10);

  await add([7, 5_000, 9_999]);
  const asked = await askedFor(blocked);
  expect(asked.names.toSorted()).toEqual(["g5000", "g7", "g9999"]);
  expect(asked.calls).toBeLessThan((groups / page) * 5);

  // A first page ends with what it has found.
  const first = await askedFor(async () => {
    for await (const { name } of queue.groups()) return [name];
    return [];
  });
  expect(first.names).toHaveLength(1);
  expect(first.calls).toBeLessThan(10);
});
