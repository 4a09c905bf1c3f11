import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import { Registry } from "prom-client";
import { collectMetrics, type MeteredQueue } from "keyline/metrics";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { metricsOf } from "../support/scrape.ts";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";
import { startWireProxy } from "../support/wire-proxy.ts";

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let stage: Stage;
beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  stage = await openStage({ valkeyUrl: valkey.url, postgresUrl: postgres.url });
  await stage.keyline().migrate();
});
afterAll(async () => {
  await stage.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

test("tells how the jobs of each queue stand, also of those that only other processes use", async () => {
  const [user, keyline] = [stage.keyline(), stage.keyline()];
  const queue = user.queue<number>("standing", { maxAttempts: 1 });
  const rows = user.queue<number>("rows", { transactional: true });
  const { value } = metricsOf(keyline);
  await queue.addMany([{ data: 1 }, { data: 2, delay: 60_000 }]);
  await rows.addMany([{ data: 1 }, { data: 2 }]);
  await eventually("all are seen", async () => (await value('keyline_queue_jobs{queue="standing",state="waiting"}')) === 1);
  expect(await value('keyline_queue_jobs{queue="standing",state="scheduled"}')).toBe(1);
  await eventually("rows too", async () => (await value('keyline_queue_jobs{queue="rows",state="waiting"}')) === 2);
  await eventually("it grows older", async () => ((await value('keyline_queue_oldest_waiting_seconds{queue="standing"}')) ?? 0) > 0.01);
  const worker = queue.work(() => {
    throw new Error("it fails");
  });
  await eventually("it is dead", async () => (await value('keyline_queue_jobs{queue="standing",state="dead"}')) === 1);
  expect(await value('keyline_queue_oldest_waiting_seconds{queue="standing"}')).toBe(0);
  await worker.stop();
});

test("tells how groups stand", async () => {
  const keyline = stage.keyline();
  const stream = keyline.stream<number>("lagging");
  const { value } = metricsOf(keyline);
  const end = gate();
  const consumer = stream.consume("slow", () => end.opened);
  await stream.appendMany([1, 2, 3]);
  const of = (what: string): Promise<number | undefined> => value(`keyline_group_${what}{stream="lagging",group="slow"}`);
  await eventually("some are pending", async () => ((await of("pending")) ?? 0) > 0);
  expect(((await of("pending")) ?? 0) + ((await of("lag")) ?? 0)).toBe(3);
  await eventually("they grow older", async () => ((await of("oldest_pending_seconds")) ?? 0) > 0.01);
  end.open();
  await eventually("none is left", async () => (await of("pending")) === 0 && (await of("lag")) === 0);
  expect(await of("oldest_pending_seconds")).toBe(0);
  await consumer.stop();
});

test("tells how many processes listen to a channel", async () => {
  const [exporting, listening] = [stage.keyline(), stage.keyline()];
  await exporting.channel("heard").list();
  await listening.channel("heard").subscribe().ready;
  const { value } = metricsOf(exporting);
  await eventually("one listens", async () => (await value('keyline_channel_listeners{channel="heard"}')) === 1);
  await listening.close();
  await eventually("nobody does", async () => (await value('keyline_channel_listeners{channel="heard"}')) === 0);
});

test("tells of Valkey's memory, and of the policy that endangers data", async () => {
  const { read } = metricsOf(stage.keyline());
  const before = await read();
  expect(before.get("keyline_valkey_memory_used_bytes")).toBeGreaterThan(0);
  expect(before.get("keyline_valkey_memory_max_bytes")).toBe(0);
  expect(before.get("keyline_valkey_noeviction")).toBe(1);
  expect(before.get("keyline_valkey_evicted_keys_total")).toBe(0);
  await stage.valkey.config("SET", "maxmemory-policy", "allkeys-lru");
  await stage.valkey.config("SET", "maxmemory", "3gb");
  onTestFinished(async () => {
    await stage.valkey.config("SET", "maxmemory-policy", "noeviction");
    await stage.valkey.config("SET", "maxmemory", "0");
  });
  await eventually("it is told", async () => (await read()).get("keyline_valkey_noeviction") === 0);
  expect((await read()).get("keyline_valkey_memory_max_bytes")).toBe(3 * 1_024 ** 3);
});

test("tells how long each store took to answer, once for each look", async () => {
  const proxy = await startWireProxy({ target: valkey });
  const delayMs = 40;
  proxy.delay(delayMs);
  const keyline = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
  const { read } = metricsOf(keyline, { state: false });
  // The first look may find it connecting, and then measures nothing.
  await eventually(
    "it was measured twice",
    async () => ((await read()).get('keyline_store_roundtrip_seconds_count{store="valkey"}') ?? 0) >= 2,
  );
  const scrape = await read();
  const of = (what: string, store = "valkey"): number =>
    scrape.get(`keyline_store_roundtrip_seconds_${what.replace("$", `store="${store}"`)}`) ?? NaN;
  const count = of("count{$}");
  // The delay is there and back; a timer may be a millisecond early.
  expect(of("sum{$}")).toBeGreaterThanOrEqual((count * 2 * (delayMs - 1)) / 1_000);
  expect([of('bucket{$,le="0.05"}'), of('bucket{$,le="+Inf"}')]).toEqual([0, count]);
  expect(of("count{$}", "postgres")).toBeGreaterThan(0);
  expect(of("sum{$}", "postgres")).toBeGreaterThan(0);
  await keyline.close();
  await proxy.stop();
});

test("counts what could not be read, and tells of the rest", async () => {
  const keyline = stage.keyline();
  const [sound, broken] = [keyline.queue<number>("sound"), keyline.queue<number>("broken")];
  await sound.add(1);
  const { value } = metricsOf(keyline, { queues: [sound, broken], streams: [], channels: [] });
  expect(await value("keyline_state_unread")).toBe(0);
  // Somebody else has taken the key of its list for something else.
  await stage.valkey.set(`${stage.prefix}:{broken}:waiting`, "no list");
  await eventually("one could not be read", async () => (await value("keyline_state_unread")) === 1);
  expect(await value('keyline_queue_jobs{queue="broken",state="waiting"}')).toBeUndefined();
  expect(await value('keyline_queue_jobs{queue="sound",state="waiting"}')).toBe(1);
  await stage.valkey.del(`${stage.prefix}:{broken}:waiting`);
  await eventually("all can be read again", async () => (await value("keyline_state_unread")) === 0);
});

test("tells of connections: those of the pool, who waits for one, and those that Valkey has", async () => {
  const keyline = stage.keyline();
  await keyline.migrate();
  const { read } = metricsOf(keyline);
  const before = await read();
  const size = 10;
  expect(before.get("keyline_valkey_connections")).toBeGreaterThan(0);
  expect(before.get("keyline_valkey_connections_max")).toBeGreaterThan(before.get("keyline_valkey_connections") ?? Infinity);
  expect(before.get("keyline_postgres_pool_waiting")).toBe(0);
  const held = gate();
  const open = Array.from({ length: size - 3 }, () => keyline.transaction(() => held.opened));
  await eventually("seven are busy", async () => ((await read()).get('keyline_postgres_pool_connections{state="busy"}') ?? 0) >= size - 3);
  expect((await read()).get('keyline_postgres_pool_connections{state="free"}')).toBeLessThanOrEqual(3);
  held.open();
  await Promise.all(open);
  await eventually("they are free", async () => ((await read()).get('keyline_postgres_pool_connections{state="free"}') ?? 0) >= size - 1);
});

test("looks once a second, however many scrape, and is told of each look once", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("scraped");
  let looks = 0;
  const counted: MeteredQueue = { name: queue.name, counts: () => (looks++, queue.counts()) };
  const { read } = metricsOf(keyline, { queues: [counted], streams: [], channels: [] });
  const begun = performance.now();
  for (let scrape = 0; scrape < 20; scrape++) await Promise.all([read(), read()]);
  const seconds = Math.ceil((performance.now() - begun) / 1_000);
  expect(looks).toBeGreaterThanOrEqual(1);
  expect(looks).toBeLessThanOrEqual(seconds);
  const scrape = await read();
  expect(scrape.get('keyline_store_roundtrip_seconds_count{store="valkey"}')).toBeLessThanOrEqual(looks);
});

test("only one exporter tells of state: the others tell what they did, and how they reach the stores", async () => {
  const keyline = stage.keyline();
  await keyline.queue<number>("told").add(1);
  const { text } = metricsOf(keyline, { state: false });
  const scraped = await text();
  expect(scraped).not.toContain("keyline_queue_jobs");
  expect(scraped).not.toContain("keyline_valkey");
  expect(scraped).toContain('keyline_queue_added_total{queue="told"} 1');
  expect(scraped).toContain('keyline_store_up{store="postgres"} 1');
});

test("while Valkey is away the rest is told, and all of it afterwards", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("away");
  const rows = keyline.queue<number>("away-rows", { transactional: true });
  const { read, value } = metricsOf(keyline);
  await queue.add(1);
  await eventually("it is seen", async () => (await value('keyline_queue_jobs{queue="away",state="waiting"}')) === 1);
  await valkey.kill();
  await eventually("it is down", async () => (await value('keyline_store_up{store="valkey"}')) === 0);
  await rows.add(1);
  const during = await read();
  expect(during.get('keyline_store_up{store="postgres"}')).toBe(1);
  expect(during.get('keyline_queue_added_total{queue="away"}')).toBe(1);
  expect(during.get('keyline_queue_jobs{queue="away",state="waiting"}')).toBeUndefined();
  await eventually("the relay has a backlog", async () => (await value("keyline_relay_backlog")) === 1);
  await eventually("it grows older", async () => ((await value("keyline_relay_lag_seconds")) ?? 0) > 0.5);
  await valkey.restart();
  await eventually("it is up", async () => (await value('keyline_store_up{store="valkey"}')) === 1);
  await eventually("the backlog is gone", async () => (await value("keyline_relay_backlog")) === 0);
  expect(await value("keyline_relay_lag_seconds")).toBe(0);
});

test("while PostgreSQL is away the rest is told", async () => {
  const keyline = stage.keyline();
  await keyline.queue<number>("still").add(1);
  const { read, value } = metricsOf(keyline);
  await eventually("both are up", async () => (await value('keyline_store_up{store="postgres"}')) === 1);
  await postgres.kill();
  await eventually("it is down", async () => (await value('keyline_store_up{store="postgres"}')) === 0, 60_000);
  const during = await read();
  expect(during.get('keyline_store_up{store="valkey"}')).toBe(1);
  expect(during.get("keyline_relay_backlog")).toBeUndefined();
  expect(during.get('keyline_queue_jobs{queue="still",state="waiting"}')).toBe(1);
  await postgres.restart();
  await eventually("it is up", async () => (await value('keyline_store_up{store="postgres"}')) === 1, 60_000);
});

test("a closed Keyline is told of with what it did", async () => {
  const keyline = stage.keyline();
  const { read } = metricsOf(keyline);
  await keyline.queue<number>("closed").add(1);
  await keyline.close();
  const scrape = await read();
  expect(scrape.get('keyline_queue_added_total{queue="closed"}')).toBe(1);
  expect([...scrape.keys()].filter((sample) => sample.startsWith("keyline_store_up"))).toEqual([]);
});

test("refuses a registry that has a Keyline's metrics, what is no Keyline, and options that it does not know", async () => {
  const register = new Registry();
  collectMetrics(stage.keyline(), { register });
  const refused = (collect: () => unknown, message: RegExp): void =>
    expect(collect).toThrow(expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringMatching(message) }));
  refused(() => collectMetrics(stage.keyline(), { register }), /registry of its own/);
  refused(() => collectMetrics({} as never), /two copies/);
  refused(() => collectMetrics(stage.keyline(), { every: 1 } as never), /every/);
  refused(() => collectMetrics(stage.keyline(), { register: new Registry(), state: 1 as never }), /state/);
});
