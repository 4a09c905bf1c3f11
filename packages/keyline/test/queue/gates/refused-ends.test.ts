import { Discard, type Job, type Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage.close());

interface Step {
  readonly group: string;
  readonly n: number;
}

/** How the first jobs of their groups end: for as long as the server refuses what lets the next ones in, none of them has ended. */
const ends: readonly {
  readonly name: string;
  readonly groups: readonly string[];
  /** What comes of the job with this place among the first. */
  readonly first: (place: number, all: { readonly isLast: Promise<void>; readonly last: () => void }) => Promise<void> | void;
}[] = [
  { name: "well, one", groups: ["a"], first: () => undefined },
  { name: "well, several in their order", groups: ["a", "b"], first: () => undefined },
  {
    name: "well, in another order",
    groups: ["a", "b"],
    first: async (place, { isLast, last }) => {
      if (place === 1) last();
      else await isLast.then(() => new Promise((resolve) => setImmediate(resolve)));
    },
  },
  {
    name: "dead",
    groups: ["a", "b"],
    first: () => {
      throw new Discard("no more");
    },
  },
];

test.each(ends)("a job whose end is refused has not ended, and its group goes on afterwards ($name)", async ({ name, groups, first }) => {
  const queueName = `refused-${ends.findIndex((end) => end.name === name)}`;
  const key = (part: string): string => `${stage.prefix}:{${queueName}}:${part}`;
  const queue: Queue<Step> = stage.keyline().queue<Step>(queueName);
  await queue.addMany(groups.flatMap((group) => [0, 1, 2].map((n) => ({ data: { group, n }, group }))));
  const refused = Promise.withResolvers<void>();
  const { promise: isLast, resolve: last } = Promise.withResolvers<void>();
  const ran: string[] = [];
  let begun = 0;
  const handle = async ({ data: { group, n } }: Job<Step>): Promise<void> => {
    ran.push(`${group}${n}`);
    if (n > 0) return;
    const place = begun++;
    await refused.promise;
    await first(place, { isLast, last });
  };
  const worker = queue.work(handle, { concurrency: 5 });
  await eventually("the first of each run", () => begun === groups.length);
  const before = await refusals();
  await stage.valkey.set(key("waiting"), "no list");
  refused.resolve();
  await eventually("it was refused", async () => (await refusals()) > before + 1);
  const inLine = (await stage.valkey.hvals(key("lines"))).filter((text) => text.startsWith("{"));
  expect(inLine).toHaveLength(2 * groups.length);
  await stage.valkey.del(key("waiting"));
  await eventually("all have run", () => ran.length === 3 * groups.length);
  for (const group of groups) {
    expect(ran.filter((step) => step.startsWith(group))).toEqual([0, 1, 2].map((n) => `${group}${n}`));
  }
  await eventually("nothing is left", async () => (await stage.valkey.exists(key("grouped"), key("lines"))) === 0);
  const dead = name === "dead" ? groups.length : 0;
  expect(await queue.counts()).toMatchObject({ waiting: 0, running: 0, scheduled: 0, blocked: 0, dead });
  await worker.stop();
});

test("a job that may not run now stays on the queue where the server refuses it its place in the line", async () => {
  const key = (part: string): string => `${stage.prefix}:{paused}:${part}`;
  const queue = stage.keyline().queue<Step>("paused");
  await queue.add({ group: "a", n: 0 }, { group: "a" });
  await queue.pause({ group: "a" });
  await stage.valkey.set(key("lines"), "no hash");
  const before = await refusals();
  const ran: number[] = [];
  const worker = queue.work(({ data: { n } }) => void ran.push(n));
  await eventually("it was refused", async () => (await refusals()) > before + 1);
  await stage.valkey.del(key("lines"));
  await eventually("it stands in the line", async () => (await queue.counts()).blocked === 1);
  expect(ran).toEqual([]);
  await queue.resume({ group: "a" });
  await eventually("it ran", () => ran.length === 1);
  await worker.stop();
});

/** How often the server said that a key has another type than the command is for. */
async function refusals(): Promise<number> {
  return Number(/errorstat_WRONGTYPE:count=(\d+)/.exec(await stage.valkey.info("errorstats"))?.[1] ?? 0);
}
