import { afterAll, beforeAll, expect, test } from "vitest";
import { openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());

const groups = 10_000;
/** So many of them are asked for at a time. */
const page = 100;
const thresholdUs = 1_000;

interface Asked {
  readonly names: readonly string[];
  readonly calls: number;
  /** What a call took of the server's own time, on the average: a busy machine does not count. */
  readonly meanUs: number;
}

async function askedFor(work: () => Promise<readonly string[]>): Promise<Asked> {
  await stage.valkey.config("RESETSTAT");
  const before = await cpuUs();
  const names = await work();
  const used = (await cpuUs()) - before;
  const stats = await stage.valkey.info("commandstats");
  // Of what a script sends nothing is counted, and neither is the length of each line.
  const found = [...stats.matchAll(/cmdstat_(?:eval|evalsha|hgetall|hmget|smismember):calls=(\d+)/g)];
  const calls = found.reduce((sum, [, count]) => sum + Number(count), 0);
  return { names, calls, meanUs: used / calls };
}

async function cpuUs(): Promise<number> {
  const text = await stage.valkey.info("cpu");
  const read = (name: string): number => Number(new RegExp(`${name}:([\\d.]+)`).exec(text)?.[1]);
  return (read("used_cpu_user_main_thread") + read("used_cpu_sys_main_thread")) * 1e6;
}

test("few groups of ten thousand that are blocked are found by a walk in pages, none of which keeps Valkey", async () => {
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
  expect(asked.meanUs).toBeLessThan(thresholdUs / 2);

  // A first page ends with what it has found.
  const first = await askedFor(async () => {
    for await (const { name } of queue.groups()) return [name];
    return [];
  });
  expect(first.names).toHaveLength(1);
  expect(first.calls).toBeLessThan(10);
});
