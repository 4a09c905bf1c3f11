import { setTimeout as sleep } from "node:timers/promises";
import { Discard, Snooze } from "keyline";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { compareIds } from "../../../src/stream/entry-id.ts";
import type { EntryAttempt } from "../../../src/stream/group/entry-attempt.ts";
import { openGroups, type GroupSite } from "../../support/group-stage.ts";
import { seeded } from "../../support/processes.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../../support/wire-proxy.ts";

interface KeyedEvent {
  readonly key: string;
  readonly n: number;
}

let stage: Stage;
const closing: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  stage = await openStage();
});
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close();
});
afterAll(() => stage.close());

function open(stream: string, valkeyUrl?: string): GroupSite {
  const site = openGroups(stage, stream, { hasKeys: true, ...(valkeyUrl === undefined ? {} : { valkeyUrl }) });
  closing.push(site);
  return site;
}

// Longer than a busy machine keeps a process from running.
const leaseMs = 1_200;
const keyOf = (event: KeyedEvent): string => event.key;

/** Sees every attempt begin and end, and what is wrong with their order. */
class Witness {
  readonly problems: string[] = [];
  readonly #done = new Map<string, Set<string>>();
  readonly #last = new Map<string, string>();
  readonly #running = new Map<string, { readonly id: string; readonly where: number }>();
  readonly #ids: Map<string, string[]>;
  /** Handlers that ended in a consumer that was cut off: the server may know before anybody is told. */
  readonly #maybeDone = new Set<string>();

  constructor(ids: Map<string, string[]>) {
    this.#ids = ids;
  }

  begin(where: number, { id, data: { key } }: EntryAttempt<KeyedEvent>): void {
    const done = this.#done.get(key) ?? new Set();
    for (const earlier of this.#ids.get(key) ?? []) {
      if (compareIds(earlier, id) < 0 && !done.has(earlier) && !this.#maybeDone.has(earlier))
        this.problems.push(`${id} of ${key} began before ${earlier} had ended`);
    }
    const last = this.#last.get(key);
    if (last !== undefined && compareIds(id, last) < 0) this.problems.push(`${id} of ${key} began after ${last}`);
    const running = this.#running.get(key);
    if (running) this.problems.push(`${id} of ${key} began in ${where} while ${running.id} ran in ${running.where}`);
    this.#last.set(key, id);
    this.#running.set(key, { id, where });
  }

  /** The attempt is over; `isEnd` when the entry is. */
  end(where: number, entry: EntryAttempt<KeyedEvent>, isEnd: boolean): void {
    const { key } = entry.data;
    if (this.#running.get(key)?.where === where) this.#running.delete(key);
    if (isEnd) this.note(entry);
  }

  /** The entry has ended. */
  note({ id, data: { key } }: EntryAttempt<KeyedEvent>): void {
    const done = this.#done.get(key) ?? new Set();
    this.#done.set(key, done.add(id));
  }

  /** The handler of one that was cut off came to its end. */
  endUnseen({ id }: EntryAttempt<KeyedEvent>): void {
    this.#maybeDone.add(id);
  }

  /** A consumer is cut off: what it runs counts as dead. */
  cutOff(where: number): void {
    for (const [key, running] of this.#running) if (running.where === where) this.#running.delete(key);
  }

  get countDone(): number {
    return [...this.#done.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

async function expectNothingLeft(site: GroupSite): Promise<void> {
  await eventually("nothing is left", async () => {
    const { lag, pending } = await site.groups.group("g").status();
    return lag + pending === 0;
  });
  const left = await stage.valkey.keys(`${site.keys.groupPrefix}g:*`);
  expect(left.filter((key) => key.includes(":line:") || key.includes(":again"))).toEqual([]);
}

test.each([1, 2])(
  "per key strictly in order, with retries, in three consumers that are cut off at random (seed %i)",
  async (seed) => {
    const random = seeded(seed);
    const stream = `order${seed}`;
    const direct = open(stream);
    const events = Array.from({ length: 1_500 }, (_, n) => ({ key: `k${Math.floor(random() ** 2 * 9)}`, n }));
    const ids = new Map<string, string[]>();
    const given = await direct.append(events, keyOf);
    events.forEach(({ key }, index) => ids.set(key, [...(ids.get(key) ?? []), given[index] ?? ""]));
    const witness = new Witness(ids);
    const target = targetOf(stage.valkeyUrl);
    const proxies: WireProxy[] = [];
    const isCutOff = [false, false, false];
    let cuts = 0;
    for (const where of [0, 1, 2]) {
      const proxy = await startWireProxy({ target, seed });
      proxies.push(proxy);
      const { groups } = open(stream, `valkey://127.0.0.1:${proxy.port}`);
      const consumer = groups.consume<KeyedEvent>(
        "g",
        async (entry) => {
          // What reached it before the cut and begins behind it is begun by somebody who does not know that he is dead.
          const isGhost = isCutOff[where];
          if (!isGhost) witness.begin(where, entry);
          await sleep(random() * 16);
          const fate = random();
          const isEnd = fate < 0.8 || fate >= 0.97;
          if (!isGhost && !isCutOff[where]) witness.end(where, entry, isEnd);
          else if (isEnd) witness.endUnseen(entry);
          if (fate >= 0.97) throw new Discard("enough");
          if (fate >= 0.94) throw new Snooze(random() * 20);
          if (fate >= 0.8) throw new Error("once more");
        },
        { concurrency: 4, lease: leaseMs, maxAttempts: 1_000, backoff: { type: "fixed", delay: 10, jitter: 0.5 } },
      );
      consumer.on("error", () => undefined);
      // What ended behind the cut may be in time still, when nobody had noticed.
      consumer.on("completed", (entry) => witness.note(entry));
      consumer.on("dead", (entry) => {
        if (entry) witness.note(entry);
      });
    }
    closing.push({ close: async () => void (await Promise.all(proxies.map((proxy) => proxy.stop()))) });
    while (witness.countDone < events.length * 0.9 && cuts < 4) {
      await sleep(random() * 300);
      const where = Math.floor(random() * 3);
      cuts++;
      isCutOff[where] = true;
      witness.cutOff(where);
      proxies[where]?.stallAll();
      await sleep(leaseMs + random() * 600);
      // What it sent meanwhile reaches nobody: an end that the server sees and nobody is told of would look like one left out.
      proxies[where]?.cutAll();
      proxies[where]?.passAll();
      // Until it knows that others have what it had.
      await sleep(800);
      isCutOff[where] = false;
    }
    await expectNothingLeft(direct);
    expect(witness.problems).toEqual([]);
    expect(cuts).toBeGreaterThanOrEqual(2);
  },
  120_000,
);

test("a consumer that stops hands the lines that it was in on at once", async () => {
  const first = open("handover");
  const events = Array.from({ length: 40 }, (_, n) => ({ key: "k", n }));
  await first.append(events, keyOf);
  const order: number[] = [];
  const stopped = first.groups.consume<KeyedEvent>("g", ({ data }) => sleep(5, order.push(data.n)), { concurrency: 4 });
  await eventually("some ran", () => order.length >= 5);
  await stopped.stop();
  const before = order.length;
  first.groups.consume<KeyedEvent>("g", ({ data }) => void order.push(data.n), { concurrency: 4 });
  await eventually("all ran", () => order.length === 40);
  expect(before).toBeLessThan(40);
  expect(order).toEqual(events.map(({ n }) => n));
  await expectNothingLeft(first);
});

test("an endless line of one key does not keep others waiting, and does not draw in all of the stream", async () => {
  const { groups, append, keys } = open("hot");
  await append(
    Array.from({ length: 12_000 }, (_, n) => ({ key: "hot", n })),
    keyOf,
  );
  await append([{ key: "cold", n: 0 }], keyOf);
  let ran = 0;
  let cold = false;
  let most = 0;
  groups.consume<KeyedEvent>(
    "g",
    async ({ data }) => {
      ran++;
      if (data.key === "cold") cold = true;
      if (ran % 500 === 0) most = Math.max(most, (await groups.group("g").status()).pending);
    },
    { concurrency: 10 },
  );
  await eventually("the cold one ran", () => cold);
  expect(ran).toBeLessThan(11_000);
  await eventually("all ran", () => ran === 12_001, 50_000);
  expect(most).toBeLessThanOrEqual(10_000);
  expect(await stage.valkey.exists(`${keys.group("g").linePrefix}hot`)).toBe(0);
});

test("an entry whose line was lost is delivered all the same", async () => {
  const { groups, append, keys, connection } = open("lost-line");
  const hold = Promise.withResolvers<void>();
  const order: number[] = [];
  const consumer = groups.consume<KeyedEvent>(
    "g",
    async ({ data }) => {
      order.push(data.n);
      if (data.n === 0) await hold.promise;
    },
    { concurrency: 2, lease: 300 },
  );
  await append(
    [
      { key: "k", n: 0 },
      { key: "k", n: 1 },
    ],
    keyOf,
  );
  await eventually(
    "both were taken",
    async () =>
      (
        await groups
          .group("g")
          .status()
          .catch(() => ({ pending: 0 }))
      ).pending === 2,
  );
  await stage.valkey.del(`${keys.group("g").linePrefix}k`);
  hold.resolve();
  await eventually("the first ended", async () => (await groups.group("g").status()).pending === 1);
  const { GroupLog } = await import("../../../src/valkey/stream/group-log.ts");
  const { GroupLeases } = await import("../../../src/valkey/stream/group-leases.ts");
  await new GroupLeases(new GroupLog(connection, keys.group("g"), { name: "g", hasKeys: true })).sweep(0, 100);
  await eventually("the second ran", () => order.length === 2);
  await consumer.stop();
  await expectNothingLeft({ groups, keys } as GroupSite);
});
