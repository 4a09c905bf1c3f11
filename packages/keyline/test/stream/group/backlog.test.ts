import { startValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { Stream } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

interface KeyedEvent {
  readonly key: string;
  readonly n: number;
}

let stage: Stage;
let streams = 0;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (stream text, n integer, at serial)");
});
afterAll(() => stage.close());

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, n) => from + n);
const keysOf = (stream: { readonly name: string }) => {
  const base = `${stage.prefix}:{${stream.name}}`;
  return { events: `${base}:events`, state: `${base}:group:g:state`, backlog: `${base}:group:g:backlog`, again: `${base}:group:g:again` };
};

/** A transactional stream of which Valkey keeps the newest 20 only. */
function open({ hasKeys = false, keyline = stage.keyline() } = {}): Stream<KeyedEvent, KeyedEvent, true> {
  return keyline.stream<KeyedEvent>(`b${streams++}`, {
    transactional: true,
    retention: { maxLength: 20 },
    ...(hasKeys ? { key: (event: KeyedEvent) => event.key } : {}),
  });
}

async function append(stream: Stream<KeyedEvent, KeyedEvent, true>, values: readonly number[]): Promise<void> {
  for (let at = 0; at < values.length; at += 200) {
    await Promise.all(values.slice(at, at + 200).map((n) => stream.append({ key: `k${n % 5}`, n })));
  }
}

async function effectsOf(stream: string): Promise<number[]> {
  const { rows } = await stage.pool.query<{ n: number }>("SELECT n FROM effects WHERE stream = $1 ORDER BY at", [stream]);
  return rows.map(({ n }) => n);
}

function settleAll(stream: Stream<KeyedEvent, KeyedEvent, true>, work?: (n: number) => Promise<void> | void, concurrency = 10) {
  const ran: number[] = [];
  const consumer = stream.consume(
    "g",
    async ({ data: { n } }, { settle }) => {
      ran.push(n);
      await work?.(n);
      await settle(async (tx) => void (await tx.query("INSERT INTO effects (stream, n) VALUES ($1, $2)", [stream.name, n])));
    },
    { concurrency, lease: 2_000 },
  );
  return { ran, stop: () => consumer.stop() };
}

const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

describe("a group that is behind what Valkey keeps", () => {
  test.each([false, true])(
    "gets it from the record, every entry once, and then reads the stream again (keys: %s)",
    async (hasKeys) => {
      const stream = open({ hasKeys });
      const keys = keysOf(stream);
      await append(stream, numbers(3_000));
      await eventually("Valkey keeps the newest only", async () => (await stage.valkey.xlen(keys.events)) <= 40, 30_000);
      const first = settleAll(stream);
      const second = settleAll(open2(stream, hasKeys));
      await eventually("it reads its backlog", async () => (await stage.valkey.hget(keys.state, "mode")) === "backlog");
      const { lag, pending } = await stream.group("g").status();
      expect(lag + pending).toBeGreaterThan(1_000);
      await append(stream, numbers(100, 3_000));
      await eventually("all are settled", async () => (await effectsOf(stream.name)).length >= 3_100, 40_000);
      await eventually("it reads the stream again", async () => (await stage.valkey.hget(keys.state, "mode")) === null);
      await append(stream, numbers(10, 3_100));
      await eventually("the last are settled", async () => (await effectsOf(stream.name)).length >= 3_110);
      const effects = await effectsOf(stream.name);
      expect(sorted(effects)).toEqual(numbers(3_110));
      if (hasKeys)
        for (const key of numbers(5)) expect(effects.filter((n) => n % 5 === key)).toEqual(numbers(3_110).filter((n) => n % 5 === key));
      expect(sorted([...first.ran, ...second.ran])).toEqual(numbers(3_110));
      await eventually("nothing is pending", async () => (await stream.group("g").status()).pending === 0);
      expect(await stream.group("g").status()).toMatchObject({ lag: 0, pending: 0, dead: 0 });
      expect(await stage.valkey.exists(keys.backlog)).toBe(0);
      await Promise.all([first.stop(), second.stop()]);
    },
    90_000,
  );

  function open2(stream: { readonly name: string }, hasKeys: boolean): Stream<KeyedEvent, KeyedEvent, true> {
    return stage.keyline().stream<KeyedEvent>(stream.name, {
      transactional: true,
      retention: { maxLength: 20 },
      ...(hasKeys ? { key: (event: KeyedEvent) => event.key } : {}),
    });
  }
});

test.each([false, true])(
  "a group that trimming overtakes while it runs keeps what it runs, and misses nothing (keys: %s)",
  async (hasKeys) => {
    const stream = open({ hasKeys });
    const keys = keysOf(stream);
    const [began, goOn] = [gate(), gate()];
    await append(stream, numbers(10));
    const consumer = settleAll(stream, (n) => (n < 2 ? (began.open(), goOn.opened) : undefined), 2);
    await began.opened;
    await append(stream, numbers(400, 10));
    await eventually("it was taken off the stream", async () => (await stage.valkey.hget(keys.state, "mode")) === "backlog", 30_000);
    await eventually("it keeps what it runs", async () => {
      const texts = await stage.valkey.hvals(`${keys.again}:entries`);
      return texts.filter((text) => (JSON.parse(text) as { by: string }).by !== "").length === 2;
    });
    goOn.open();
    await eventually("all are settled", async () => (await effectsOf(stream.name)).length >= 410, 30_000);
    await eventually("it reads the stream again", async () => (await stage.valkey.hget(keys.state, "mode")) === null);
    expect(sorted(await effectsOf(stream.name))).toEqual(numbers(410));
    expect(sorted(consumer.ran)).toEqual(numbers(410));
    if (hasKeys)
      for (const key of numbers(5)) expect(consumer.ran.filter((n) => n % 5 === key)).toEqual(numbers(410).filter((n) => n % 5 === key));
    await eventually("nothing is pending", async () => (await stream.group("g").status()).pending === 0);
    await consumer.stop();
  },
  90_000,
);

test("after Valkey lost everything a group goes on behind its floor, and what was settled above it is not run again", async () => {
  const valkey = await startValkey();
  const server = new Valkey(valkey.port, valkey.host);
  const keyline = stage.keyline({ valkey: valkey.url });
  const stream = keyline.stream<KeyedEvent>(`lost${streams++}`, { transactional: true });
  await append(stream, numbers(200));
  const [began, goOn] = [gate(), gate()];
  // The first does not end, so that the floor stays before it while the others are settled.
  let held = true;
  const consumer = settleAll(stream, (n) => (n === 0 && held ? (began.open(), goOn.opened) : undefined));
  await began.opened;
  await eventually("the others are settled", async () => (await effectsOf(stream.name)).length === 199);
  held = false;
  await server.flushall();
  await append(stream, numbers(50, 200));
  await eventually(
    "the new ones are settled, and the first, by its second attempt",
    async () => (await effectsOf(stream.name)).length >= 250,
    40_000,
  );
  goOn.open();
  await eventually("nothing is pending", async () => {
    const { lag, pending } = await stream.group("g").status();
    return lag + pending === 0;
  });
  expect(sorted(await effectsOf(stream.name))).toEqual(numbers(250));
  expect(sorted(consumer.ran)).toEqual([0, ...numbers(250)]);
  await consumer.stop();
  await keyline.close();
  server.disconnect();
  await valkey.stop();
}, 90_000);

describe("where a new group of a transactional stream begins:", () => {
  test.each(["-", "$"] as const)("%s", async (from) => {
    const stream = open();
    await append(stream, numbers(60));
    const seen: number[] = [];
    const idle = gate();
    const consumer = stream.consume("g", ({ data }) => void seen.push(data.n), { from });
    consumer.on("idle", () => idle.open());
    await idle.opened;
    await append(stream, [60]);
    await eventually("the last one came", () => seen.includes(60));
    await consumer.stop();
    expect(sorted(seen)).toEqual(from === "-" ? numbers(61) : [60]);
  });
});
