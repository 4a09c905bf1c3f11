import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { silentLogger, type Logger } from "../../../src/runtime/logger.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { NameSet } from "../../../src/valkey/directory/name-set.ts";
import { Sightings } from "../../../src/valkey/directory/sightings.ts";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../../support/stage.ts";

// A server that nobody else asks: what it was asked can be counted.

let server: EmbeddedValkey;
let valkey: Valkey;
const opened: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  server = await startValkey();
  valkey = new Valkey(server.url.replace("valkey:", "redis:"));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  await valkey.flushall();
  await valkey.call("CONFIG", "RESETSTAT");
});
afterAll(async () => {
  valkey.disconnect();
  await server.stop();
});

function open(roundMs: number, { url = server.url, logger = silentLogger }: { url?: string; logger?: Logger } = {}): Sightings {
  const connection = new ValkeyConnection(toTarget(url), { logger: silentLogger, silenceMs: 5_000 });
  const sightings = new Sightings(new NameSet(connection, { prefix: "kl", kind: "queues" }), logger, roundMs);
  opened.push({
    close: async () => {
      await sightings.stop();
      connection.close();
    },
  });
  return sightings;
}

const names = (): Promise<string[]> => valkey.zrange("kl:directory:queues", 0, -1);

/** How many commands noted names so far. */
async function notes(): Promise<number> {
  return Number(/cmdstat_zadd:calls=(\d+)/.exec(await valkey.info("commandstats"))?.[1] ?? 0);
}

test("10,000 names are noted by one command for each 500 of them", async () => {
  const sightings = open(3_600_000);
  for (let n = 0; n < 10_000; n++) sightings.of({ name: `queue_${n}`, traits: ["transactional"] }).touch();
  await eventually("all are there", async () => (await valkey.zcard("kl:directory:queues")) === 10_000);
  expect(await notes()).toBe(20);
  expect(await sightings.read()).toHaveLength(10_000);
});

test("a name that is used all the time is noted once a round, and one that is not used any more not again", async () => {
  const sightings = open(200);
  const busy = sightings.of({ name: "busy", traits: [] });
  sightings.of({ name: "once", traits: [] }).touch();
  busy.touch();
  await eventually("both are there", async () => (await names()).length === 2);
  const once = await valkey.zscore("kl:directory:queues", " once");
  const first = Number(await valkey.zscore("kl:directory:queues", " busy"));
  const begun = performance.now();
  await eventually("it was noted five times more", async () => {
    for (let n = 0; n < 1_000; n++) busy.touch();
    return (await notes()) >= 6;
  });
  // Timers may be late, and never early.
  expect(performance.now() - begun).toBeGreaterThan(4 * 200);
  expect(Number(await valkey.zscore("kl:directory:queues", " busy"))).toBeGreaterThan(first);
  expect(await valkey.zscore("kl:directory:queues", " once")).toBe(once);
});

test("one that is held is noted again after Valkey was emptied, until it is let go", async () => {
  const sightings = open(100);
  const letGo = sightings.of({ name: "worked", traits: [] }).hold();
  for (let round = 0; round < 3; round++) {
    await eventually("it is there", async () => (await names()).length === 1);
    await valkey.flushall();
  }
  expect(sightings.inUse()).toMatchObject([{ name: "worked" }]);
  letGo();
  await eventually("nothing is due any more", () => sightings.inUse().length === 0);
});

test("what is used while Valkey is away is noted when it is back", async () => {
  const own = await startValkey();
  const { port } = new URL(own.url);
  const sightings = open(50, { url: own.url });
  sightings.of({ name: "before", traits: [] }).hold();
  await eventually("it is connected", async () => (await sightings.read()).length === 1);
  await own.stop();
  sightings.of({ name: "meanwhile", traits: [] }).touch();
  const again = await startValkey({ port: Number(port) });
  await eventually("both are there", async () => (await sightings.read().catch(() => [])).length === 2);
  await again.stop();
});

test("what was just used is read at once, also where the server has to be told the script first", async () => {
  const sightings = Array.from({ length: 20 }, () => open(3_600_000));
  for (const [turns, one] of sightings.entries()) {
    await one.flush();
    await valkey.script("FLUSH");
    one.of({ name: `fresh_${turns}`, traits: [] }).touch();
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect((await one.read()).map(({ name }) => name)).toContain(`fresh_${turns}`);
  }
});

test("two processes that note the same names at once do no harm, and neither takes the other's", async () => {
  const [one, other] = [open(50), open(50)];
  for (let n = 0; n < 700; n++) one.of({ name: `shared_${n}`, traits: [] }).hold();
  for (let n = 0; n < 700; n++) other.of({ name: `shared_${n}`, traits: [] }).hold();
  one.of({ name: "own", traits: ["transactional"] }).touch();
  other.of({ name: "others", traits: [] }).touch();
  await eventually("all are there", async () => (await names()).length === 702);
  expect((await one.read()).map(({ name }) => name).sort()).toEqual((await other.read()).map(({ name }) => name).sort());
});

test("a clock that goes back does not make a name older than it was", async () => {
  const later = Date.now() + 3_600_000;
  await valkey.zadd("kl:directory:queues", later, " ahead");
  const sightings = open(50);
  sightings.of({ name: "ahead", traits: [] }).touch();
  sightings.of({ name: "now", traits: [] }).touch();
  await eventually("it was noted", async () => (await names()).length === 2);
  expect(Number(await valkey.zscore("kl:directory:queues", " ahead"))).toBe(later);
});

test("a user who may not write it is told so once in the log, at debug, and is not asked again", async () => {
  await valkey.call("ACL", "SETUSER", "limited", "on", ">secret", "~kl:{orders}:*", "+@all");
  const lines: string[] = [];
  const note = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`);
  const logger: Logger = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
  const sightings = open(20, { url: server.url.replace("//", "//limited:secret@"), logger });
  const held = sightings.of({ name: "orders", traits: [] });
  held.hold();
  await eventually("it was refused", () => lines.length > 0);
  for (let n = 0; n < 20; n++) {
    held.touch();
    sightings.of({ name: `orders_${n}`, traits: [] }).touch();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(lines).toEqual(["debug what this process uses could not be noted in the directory"]);
  expect(await valkey.call("ACL", "LOG")).toHaveLength(1);
  await expect(sightings.read()).rejects.toThrow(/NOPERM/);
  expect(sightings.inUse().length).toBeGreaterThan(0);
});
