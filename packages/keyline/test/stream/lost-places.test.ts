import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import type { Entry, Keyline, Stream, StreamGap } from "keyline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../support/wire-proxy.ts";

let valkey: EmbeddedValkey;
let stage: Stage;

beforeAll(async () => {
  valkey = await startValkey();
});
afterAll(() => valkey.stop());
beforeEach(async () => {
  stage = await openStage({ valkeyUrl: valkey.url });
  await stage.keyline().migrate();
});
afterEach(() => stage.close());

const hourMs = 3_600_000;

const keyOf = (stream: string): string => `${stage.prefix}:{${stream}}:events`;

/** An entry with the id that it would have got from a clock that is ahead by so much. */
async function addAhead(stream: string, aheadMs: number, data: number): Promise<string> {
  return (await stage.valkey.xadd(keyOf(stream), `${Date.now() + aheadMs}-0`, "data", String(data))) as string;
}

/** Everything that a follower is told. */
class Listener {
  readonly told: (number | StreamGap)[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(stream: { follow: Stream<number>["follow"] }, after?: string) {
    this.#ended = this.#run(
      stream.follow({ ...(after === undefined ? {} : { after }), signal: this.#stop.signal, onGap: (gap) => this.told.push(gap) }),
    );
  }

  async has(count: number): Promise<readonly unknown[]> {
    await eventually(`it was told ${count} things`, () => this.told.length >= count);
    return this.told;
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.#ended;
  }

  async #run(entries: AsyncIterable<Entry<number>>): Promise<void> {
    for await (const { data } of entries) this.told.push(data);
  }
}

const deletes: readonly { readonly how: string; lose(stream: string): Promise<unknown> }[] = [
  { how: "DEL", lose: (stream) => stage.valkey.del(keyOf(stream)) },
  { how: "FLUSHALL", lose: () => stage.valkey.flushall() },
];
const appends: readonly { readonly by: string; append(keyline: Keyline, stream: string): Promise<unknown> }[] = [
  { by: "Keyline", append: (keyline, stream) => keyline.stream<number>(stream).appendMany([2, 3]) },
  {
    by: "somebody else",
    append: async (_, stream) => {
      for (const data of ["2", "3"]) await stage.valkey.xadd(keyOf(stream), "*", "data", data);
    },
  },
];
const places = [
  { where: "an hour ahead of the clock", aheadMs: hourMs },
  { where: "behind the clock", aheadMs: -hourMs },
];
const losses = deletes.flatMap((one) => appends.flatMap((two) => places.map((three) => ({ ...one, ...two, ...three }))));

describe.each(losses)("when $how took a stream whose newest id is $where, and $by appends", ({ lose, append, aheadMs }) => {
  test("whoever followed it is told that it was lost, and gets what is there now", async () => {
    const keyline = stage.keyline();
    const id = await addAhead("lost", aheadMs, 1);
    const listener = new Listener(keyline.stream<number>("lost"), "-");
    await listener.has(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await lose("lost");
    await append(stage.keyline(), "lost");
    expect(await listener.has(4)).toEqual([1, { stream: "lost", reason: "lost", after: id, until: "0-0" }, 2, 3]);
    await listener.stop();
  });

  test("a projection of it is told so, and has caught up only with what is there now", async () => {
    const stream = stage.keyline().stream<number>("projected");
    const id = await addAhead("projected", aheadMs, 1);
    const seen: number[] = [];
    const gaps: StreamGap[] = [];
    const projection = stream.project("seen", async (_, entries) => void seen.push(...entries.map(({ data }) => data)), {
      onGap: (gap) => gaps.push(gap),
    });
    await projection.caughtUp();
    await lose("projected");
    await append(stage.keyline(), "projected");
    await projection.caughtUp();
    expect(seen).toEqual([1, 2, 3]);
    expect(gaps).toEqual([{ stream: "projected", reason: "lost", after: id, until: "0-0" }]);
    await projection.stop();
  });

  test.each(["-", "$"])("a group that began at %s gets what is there now", async (from) => {
    const keyline = stage.keyline();
    const stream = keyline.stream<number>("grouped");
    const seen: number[] = [];
    const consumer = stream.consume("group", ({ data }) => void seen.push(data), { from });
    await eventually("the group is there", async () => (await stream.groups()).length === 1);
    await addAhead("grouped", aheadMs, 1);
    await eventually("it has the first", () => seen.length === 1);
    await eventually("it has finished it", async () => (await stream.group("group").status()).pending === 0);
    await lose("grouped");
    await append(stage.keyline(), "grouped");
    await eventually("it has the others", () => seen.length === 3);
    expect(seen).toEqual([1, 2, 3]);
    await consumer.stop();
  });
});

test("whoever waits behind an id that the clock has not reached looks again long before a blocking read ends", async () => {
  const keyline = stage.keyline();
  const reads = async (): Promise<number> => Number(/cmdstat_xread:calls=(\d+)/.exec(await stage.valkey.info("commandstats"))?.[1] ?? 0);
  await addAhead("waited", hourMs, 1);
  const listener = new Listener(keyline.stream<number>("waited"), "-");
  await listener.has(1);
  const before = await reads();
  // In this time a blocking read of eight seconds ends twice.
  await eventually("it has looked again and again", async () => (await reads()) >= before + 6);
  await listener.stop();
});

describe("a place that is known from earlier", () => {
  test.each(deletes)("in a stream that $how took, with an id an hour ahead, is told as lost", async ({ lose }) => {
    const keyline = stage.keyline();
    const id = await addAhead("known", hourMs, 1);
    await keyline.stream<number>("known").append(0);
    await lose("known");
    await stage.keyline().stream<number>("known").appendMany([2, 3]);
    const listener = new Listener(keyline.stream<number>("known"), id);
    expect(await listener.has(3)).toEqual([{ stream: "known", reason: "lost", after: id, until: "0-0" }, 2, 3]);
    await listener.stop();
  });

  test("as a time that is still to come is no place that was lost", async () => {
    const stream = stage.keyline().stream<number>("to-come");
    await stream.append(1);
    const told: unknown[] = [];
    const to = stream.follow({ after: Date.now() + hourMs, onGap: (gap) => told.push(gap) })[Symbol.asyncIterator]();
    const next = to.next();
    await stream.append(2);
    await addAhead("to-come", 2 * hourMs, 3);
    expect((await next).value?.data).toBe(3);
    expect(told).toEqual([]);
    await to.return?.();
  });
});

describe("a server that forgot its last moments", () => {
  let proxy: WireProxy;

  beforeEach(async () => {
    proxy = await startWireProxy({ target: targetOf(valkey.url) });
  });
  afterEach(() => proxy.stop());

  /** What was appended since is gone, as after a failover to a replica that had not got it yet. */
  async function forget(since: () => Promise<void>): Promise<void> {
    await stage.valkey.save();
    await since();
    await valkey.kill();
    await valkey.restart();
    await eventually("it is there again", async () => (await stage.valkey.ping().catch(() => "")) === "PONG");
  }

  test.each([hourMs, -hourMs])(
    "tells whoever had read them, and brings what came since, also under the ids of what was lost (%d ms ahead)",
    async (aheadMs) => {
      const writer = stage.keyline();
      const reader = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
      const first = await addAhead("forgotten", aheadMs, 1);
      await writer.stream<number>("forgotten").append(2);
      const listener = new Listener(reader.stream<number>("forgotten"), "-");
      await listener.has(2);
      const kept = (await stage.valkey.xrevrange(keyOf("forgotten"), "+", "-", "COUNT", 1))[0]?.[0] ?? "";
      let last = "";
      await forget(async () => {
        last = (await writer.stream<number>("forgotten").appendMany([3, 4, 5])).at(-1)?.id ?? "";
        await listener.has(5);
        await proxy.refuse(true);
      });
      await eventually("they are forgotten", async () => (await stage.valkey.xlen(keyOf("forgotten"))) === 2);
      // Before the reader is back.
      for (const data of [6, 7])
        await eventually("it is appended", () =>
          writer
            .stream<number>("forgotten")
            .append(data)
            .then(
              () => true,
              () => false,
            ),
        );
      await proxy.refuse(false);
      expect(await listener.has(8)).toEqual([1, 2, 3, 4, 5, { stream: "forgotten", reason: "lost", after: last, until: kept }, 6, 7]);
      expect(first).not.toBe(kept);
      await listener.stop();
    },
  );

  test("tells nobody who has not read them, and nobody when nothing was forgotten", async () => {
    const writer = stage.keyline();
    const stream = writer.stream<number>("unread");
    await addAhead("unread", hourMs, 1);
    await stream.append(2);
    const listener = new Listener(stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` }).stream<number>("unread"), "-");
    await listener.has(2);
    await proxy.refuse(true);
    await forget(() => Promise.resolve());
    for (const data of [3, 4])
      await eventually("it is appended", () =>
        stream.append(data).then(
          () => true,
          () => false,
        ),
      );
    await proxy.refuse(false);
    expect(await listener.has(4)).toEqual([1, 2, 3, 4]);
    await listener.stop();
  });

  test("tells a projection that runs, also where new entries have the ids of those that it had", async () => {
    const writer = stage.keyline();
    const reader = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
    await addAhead("projected", hourMs, 1);
    await writer.stream<number>("projected").append(2);
    const seen: number[] = [];
    const gaps: string[] = [];
    const projection = reader
      .stream<number>("projected")
      .project("seen", async (_, entries) => void seen.push(...entries.map(({ data }) => data)), {
        onGap: ({ reason }) => gaps.push(reason),
      });
    await projection.caughtUp();
    await forget(async () => {
      await writer.stream<number>("projected").appendMany([3, 4]);
      await eventually("it has them", () => seen.length === 4);
      await proxy.refuse(true);
    });
    for (const data of [5, 6, 7])
      await eventually("it is appended", () =>
        writer
          .stream<number>("projected")
          .append(data)
          .then(
            () => true,
            () => false,
          ),
      );
    await proxy.refuse(false);
    await eventually("it has what came since", () => seen.at(-1) === 7);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(gaps).toEqual(["lost"]);
    await projection.stop();
  });
});

describe("a transactional stream whose ids are an hour ahead of the clock of Valkey", () => {
  async function open(name: string): Promise<Stream<number, number, true>> {
    const stream = stage.keyline().stream<number>(name, { transactional: true });
    await stage.pool.query("INSERT INTO keyline.stream (name, begins_behind) VALUES ($1, $2)", [
      name,
      (BigInt(Date.now() + hourMs) << 20n).toString(),
    ]);
    await stream.appendMany([1, 2]);
    return stream;
  }

  test.each(deletes)("loses nothing with $how, for followers and groups", async ({ lose }) => {
    const stream = await open("ahead");
    const listener = new Listener(stream, "-");
    const late = new Listener(stream);
    const seen: number[] = [];
    const consumer = stream.consume("group", ({ data }) => void seen.push(data));
    await listener.has(2);
    await eventually("the group has them", () => seen.length === 2);
    await eventually("it has finished them", async () => (await stream.group("group").status()).pending === 0);
    await lose("ahead");
    await stream.appendMany([3, 4]);
    expect(await listener.has(4)).toEqual([1, 2, 3, 4]);
    expect(await late.has(2)).toEqual([3, 4]);
    await eventually("the group has all", () => new Set(seen).size === 4);
    await Promise.all([listener.stop(), late.stop(), consumer.stop()]);
  });

  test("tells whoever had read what a restored record does not have, when Valkey was lost as well", async () => {
    const stream = await open("restored");
    const last = (await stream.append(3)).id;
    const listener = new Listener(stream, "-");
    await listener.has(3);
    // A backup from before the third, with the clock as it is.
    await stage.valkey.flushall();
    await stage.pool.query("DELETE FROM keyline.event WHERE stream = 'restored'");
    await stage.pool.query("UPDATE keyline.stream SET last_position = 0, begins_behind = 0 WHERE name = 'restored'");
    await stream.appendMany([4, 5]);
    const told = await listener.has(4);
    expect(told.slice(0, 4)).toEqual([1, 2, 3, { stream: "restored", reason: "lost", after: last, until: expect.any(String) }]);
    await stream.append(6);
    await eventually("it goes on", () => listener.told.at(-1) === 6);
    await listener.stop();
  });
});

describe("a channel with history whose ids are an hour ahead of the clock", () => {
  const historyOf = (channel: string): string => `${stage.prefix}:{${channel}}:history`;

  /** Whatever is published from now on gets ids of the hour to come. */
  async function moveAhead(channel: string): Promise<void> {
    const id = (await stage.valkey.xadd(historyOf(channel), `${Date.now() + hourMs}-0`, "id", "x")) as string;
    await stage.valkey.xdel(historyOf(channel), id);
  }

  test.each(["DEL", "FLUSHALL"])("tells who was subscribed, and who comes back, what %s took", async (how) => {
    const channel = stage.keyline().channel<number>("ahead", { history: {} });
    await channel.publish(1);
    await moveAhead("ahead");
    const told: unknown[] = [];
    const onGap = ({ reason }: { readonly reason: string }): void => void told.push(reason);
    const listening = channel.subscribe(({ data }) => void told.push(data), { since: "earliest", onGap });
    await listening.ready;
    const { cursor } = await channel.publish(2);
    await eventually("it has both", () => told.length === 2);
    if (how === "DEL") await stage.valkey.del(...(await stage.valkey.keys(`${stage.prefix}:{ahead}:*`)));
    else await stage.valkey.flushall();
    for (const data of [3, 4]) await channel.publish(data);
    await eventually("it has what came since", () => told.at(-1) === 4);
    expect(told).toEqual([1, 2, "lost", 3, 4]);
    const { messages, gaps } = await channel.history({ since: cursor });
    expect([gaps.map(({ reason }) => reason), messages.map(({ data }) => data)]).toEqual([["lost"], [3, 4]]);
    await listening.close();
  });

  test("goes on behind its last id when only the entries are deleted", async () => {
    const channel = stage.keyline().channel<number>("entries", { history: {} });
    await channel.publish(0);
    await moveAhead("entries");
    const { cursor } = await channel.publish(1);
    await stage.valkey.del(historyOf("entries"));
    for (const data of [2, 3]) await channel.publish(data);
    const { messages, gaps } = await channel.history({ since: cursor });
    expect([gaps, messages.map(({ data }) => data)]).toEqual([[], [2, 3]]);
  });
});
