import { globSync, readFileSync } from "node:fs";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { QueueKeys } from "../../src/valkey/queue/keys.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

const guide = readFileSync(new URL("../../../../docs/guides/queue-operate.md", import.meta.url), "utf8");
const table = [...guide.matchAll(/^\| `kl:\{orders\}:([^`]+)` *\| ([a-z ]+?) *\|/gm)].map(([, key = "", type = ""]) => ({ key, type }));
/** What a key of the table begins with, up to what stands for something. */
const beginningOf = (key: string): string => key.replace(/<.*/, "");

const scripts = globSync("../../src/valkey/{queue,figures}/scripts/*.lua", { cwd: import.meta.dirname })
  .map((file) => readFileSync(`${import.meta.dirname}/${file}`, "utf8"))
  .join("\n");
const inScripts = [...scripts.matchAll(/\bbase \.\. '([^'*]+)'/g)].map(([, key = ""]) => key);
const keys = new QueueKeys("kl", "orders");
const named = [...Object.values(keys), keys.held("<name>"), keys.worker("<name>"), keys.line("<group>"), keys.familyChildren("<batch>")]
  .concat(keys.progress("<id>"))
  .map((key: string) => beginningOf(key.replace("kl:{orders}:", "")));
const inSource = [...new Set([...inScripts, ...named])];
/** Of keys whose names are another's with something behind it. */
const ends: Record<string, RegExp> = {
  "dead:job": /dead \.\. ':job'/,
  "dead:dropped": /dead \.\. ':dropped'/,
  "starts:sum": /key \.\. ':sum'/,
  "rates:hours": /prefix \.\. 'hours'/,
};

test("the guide names every key of a queue", () => {
  const isNamed = (key: string): boolean =>
    table.some((row) => (key.endsWith(":") ? row.key.startsWith(key) : row.key === key || beginningOf(row.key) === key));
  expect(inSource.length).toBeGreaterThan(45);
  expect(inSource.filter((key) => !isNamed(key))).toEqual([]);
});

test("the guide names no key that a queue does not have", () => {
  const isThere = ({ key }: { readonly key: string }): boolean =>
    inSource.includes(beginningOf(key)) || (ends[key]?.test(scripts) ?? false);
  expect(table.filter((row) => !isThere(row))).toEqual([]);
  expect(new Set(table.map(({ key }) => key)).size).toBe(table.length);
});

let stage: Stage;
let keyline: Keyline;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});
afterAll(() => stage.close());

/** The row of the table that a key belongs to: the one whose fixed part is the longest. */
function rowOf(key: string): { readonly key: string; readonly type: string } | undefined {
  const pattern = (row: string): RegExp => new RegExp(`^${row.replaceAll(/<[^>]+>/g, "[^:]+")}$`);
  return table.filter((row) => pattern(row.key).test(key)).toSorted((a, b) => beginningOf(b.key).length - beginningOf(a.key).length)[0];
}

test.each([false, true])("the keys that are there have a row with their type (transactional: %s)", async (transactional) => {
  const name = transactional ? "recorded" : "plain";
  const rules = { maxAttempts: 1, limits: { rate: { max: 100, per: 60_000 }, group: { rate: { max: 100, per: 60_000 } } } };
  const queue = transactional ? keyline.queue<number>(name, { ...rules, transactional: true }) : keyline.queue<number>(name, rules);
  const child = transactional ? keyline.queue<number>(`${name}-below`, { transactional: true }) : keyline.queue<number>(`${name}-below`);
  const seen = new Map<string, string>();
  const look = async (): Promise<void> => {
    for (const of of [name, `${name}-below`]) {
      for (const key of await stage.valkey.keys(`${stage.prefix}:{${of}}:*`)) {
        const type = await stage.valkey.type(key);
        if (type !== "none") seen.set(key.slice(`${stage.prefix}:{${of}}:`.length), type === "zset" ? "sorted set" : type);
      }
    }
  };
  await queue.schedule("later", { every: 3_600_000, data: 1 });
  await (queue as typeof child & { add(data: number, options: object): Promise<unknown> }).add(1, {
    children: [{ queue: child, data: 2 }],
  });
  await queue.addMany([
    { data: 3 },
    { data: 4, group: "g" },
    { data: 5, group: "g" },
    { data: 6, priority: "high" },
    { data: 7, priority: "low" },
  ]);
  await queue.add(8, { id: "mine", deduplicate: { key: "a" }, keepResult: 60_000 });
  await queue.add(9, { deduplicate: { key: "b", window: 60_000 } });
  await queue.add(10, { deduplicate: { key: "c", window: 60_000, keep: "latest" } });
  await queue.pause({ group: "g" });
  await look();
  let done = 0;
  const events = queue.events({})[Symbol.asyncIterator]();
  const first = events.next();
  const worker = queue.work(async (job) => {
    await job.progress(job.data);
    await look();
    done++;
    if (job.data === 3) throw new Error("no");
  });
  await queue.resume({ group: "g" });
  await eventually("most have run", () => done >= 7);
  await first;
  await queue.workers();
  await look();
  await events.return?.();
  await worker.stop();
  await look();
  const wrong = [...seen].filter(([key, type]) => rowOf(key)?.type !== type);
  expect(seen.size).toBeGreaterThan(20);
  expect(wrong).toEqual([]);
});
