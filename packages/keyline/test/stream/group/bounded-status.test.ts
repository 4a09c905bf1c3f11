import { afterAll, beforeAll, expect, test } from "vitest";
import { openGroups, type GroupSite } from "../../support/group-stage.ts";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
const sites: GroupSite[] = [];
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(async () => {
  await Promise.all(sites.map((site) => site.close()));
  await stage.close();
});

function open(stream: string): GroupSite {
  const site = openGroups(stage, stream);
  sites.push(site);
  return site;
}

/** The longest command that Valkey ran for `look`, in microseconds. */
async function longest(look: () => Promise<unknown>): Promise<number> {
  await stage.valkey.config("SET", "slowlog-log-slower-than", "0");
  await stage.valkey.config("SET", "slowlog-max-len", "100000");
  await look();
  let least = Infinity;
  // Of several looks the quickest: a busy machine makes any command slow now and then.
  for (let round = 0; round < 5; round++) {
    await stage.valkey.call("SLOWLOG", "RESET");
    await look();
    const entries = (await stage.valkey.call("SLOWLOG", "GET", "-1")) as [number, number, number, string[]][];
    const own = entries.filter(([, , , command]) => !/^(slowlog|config)$/i.test(command[0] ?? ""));
    expect(own.length).toBeGreaterThan(0);
    least = Math.min(least, Math.max(...own.map(([, , micros]) => micros)));
  }
  await stage.valkey.config("SET", "slowlog-log-slower-than", "10000");
  return least;
}

const fill = `local base, from, entries = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
  for i = from, from + entries - 1 do
    local id = (1700000000000 + i) .. '-0'
    redis.call('HSET', base .. ':entries', id, '{"attempts":1,"by":"","data":"1"}')
    redis.call('ZADD', base, 1700000000000 + i, id)
    redis.call('ZADD', base .. ':order', 1700000000000 + i, id)
  end`;

test("groups() keeps Valkey for less than a millisecond with 200,000 entries to be handed out again", async () => {
  const { groups, keys, append } = open("again");
  await append([1]);
  await stage.valkey.xgroup("CREATE", keys.events, "g", "$");
  const { again } = keys.group("g");
  for (let from = 0; from < 200_000; from += 10_000) await stage.valkey.eval(fill, 1, again, from, 10_000);
  await stage.valkey.hset(keys.groups, "g", Date.now());
  expect(await groups.status()).toMatchObject([{ name: "g", retrying: 200_000, pending: 200_000, oldestPendingAt: 1_700_000_000_000 }]);
  expect(await longest(() => groups.status())).toBeLessThan(1_000);
}, 60_000);

test("the lag of a long log is counted by several looks, each of them bounded, and kept", async () => {
  const { groups, keys } = open("log");
  const add = `for i = 1, tonumber(ARGV[2]) do redis.call('XADD', KEYS[1], (1700000000000 + ARGV[1] + i) .. '-0', 'data', '"' .. string.rep('x', 100) .. '"') end`;
  for (let from = 0; from < 60_000; from += 10_000) await stage.valkey.eval(add, 1, keys.events, from, 10_000);
  // In the midst of it, and where one was deleted: the server does not know the lag.
  await stage.valkey.xgroup("CREATE", keys.events, "g", "1700000010000-0");
  await stage.valkey.xdel(keys.events, "1700000030000-0");
  const group = groups.group("g");
  const [first] = await groups.status();
  expect(first?.isLagExact).toBe(false);
  expect(Math.abs((first?.lag ?? 0) - 49_999)).toBeLessThan(1_000);
  await eventually("all is counted", async () => (await group.status()).isLagExact);
  expect(await group.status()).toMatchObject({ lag: 49_999, isLagExact: true });
  await stage.valkey.eval(add, 1, keys.events, 60_000, 10);
  expect(await group.status()).toMatchObject({ lag: 50_009, isLagExact: true });
  await stage.valkey.xreadgroup("GROUP", "g", "c", "COUNT", 12_345, "STREAMS", keys.events, ">");
  expect(await group.status()).toMatchObject({ lag: 37_664, isLagExact: true });
  await stage.valkey.xgroup("SETID", keys.events, "g", "1700000040000-0");
  await eventually("it is counted anew", async () => (await group.status()).isLagExact);
  expect(await group.status()).toMatchObject({ lag: 20_010 });
  await stage.valkey.xgroup("SETID", keys.events, "g", "1700000001000-0");
  await eventually("a place before it is counted too", async () => (await group.status()).isLagExact);
  expect(await group.status()).toMatchObject({ lag: 59_009 });
  expect(await longest(() => groups.status())).toBeLessThan(1_000);
}, 60_000);

test("the pages of entries that are large are small", async () => {
  const { groups, keys } = open("large");
  const value = JSON.stringify("x".repeat(200_000));
  for (let index = 0; index < 40; index++) await stage.valkey.xadd(keys.events, `${1_700_000_000_000 + index}-0`, "data", value);
  await stage.valkey.xgroup("CREATE", keys.events, "g", "1700000000005-0");
  await stage.valkey.xdel(keys.events, "1700000000020-0");
  expect(await groups.status()).toMatchObject([{ lag: 33, isLagExact: true }]);
  const monitor = await stage.valkey.monitor();
  const limits: number[] = [];
  monitor.on("monitor", (_time: string, [name, , , , , , limit]: string[]) => name === "evalsha" && limits.push(Number(limit)));
  await groups.status();
  await eventually("it was heard", () => limits.length >= 7);
  monitor.disconnect();
  expect(Math.max(...limits.filter(Number.isFinite))).toBe(5);
});
