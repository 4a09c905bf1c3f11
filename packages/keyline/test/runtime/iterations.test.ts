import { getEventListeners } from "node:events";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";
import { startWireProxy, targetOf } from "../support/wire-proxy.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

interface Options {
  readonly signal?: AbortSignal;
}

type Values = AsyncIterable<{ readonly data: unknown }>;

interface Opened {
  /** Has everything that is sent. */
  readonly values: Values;
  send(data: number): Promise<unknown>;
}

interface Iterated {
  readonly name: string;
  /** Nobody else has anything of this name. */
  open(keyline: Keyline, name: string, options: Options): Promise<Opened>;
}

const iterated: readonly Iterated[] = [
  {
    name: "a stream that is followed",
    open: async (keyline, name, options) => {
      const stream = keyline.stream(name);
      return { values: stream.follow({ ...options, after: "-" }), send: (data) => stream.append(data) };
    },
  },
  {
    name: "a transactional stream that is followed",
    open: async (keyline, name, options) => {
      const stream = keyline.stream(name, { transactional: true });
      return { values: stream.follow({ ...options, after: "-" }), send: (data) => stream.append(data) };
    },
  },
  {
    name: "a channel",
    open: async (keyline, name, options) => {
      const channel = keyline.channel(name);
      const values = channel.subscribe(options);
      await values.ready;
      return { values, send: (data) => channel.publish(data) };
    },
  },
  {
    name: "a channel with history",
    open: async (keyline, name, options) => {
      const channel = keyline.channel(name, { history: {} });
      const values = channel.subscribe(options);
      await values.ready;
      return { values, send: (data) => channel.publish(data) };
    },
  },
  {
    name: "the channels of a pattern",
    open: async (keyline, name, options) => {
      const values = keyline.channels(`${name}.*`).subscribe(options);
      await values.ready;
      return { values, send: (data) => keyline.channel(`${name}.one`).publish(data) };
    },
  },
];

let names = 0;

const ended = { done: true, value: undefined };

describe.each(iterated)("$name", ({ open }) => {
  function begin() {
    const keyline = stage.keyline();
    const stop = new AbortController();
    return { keyline, stop, signal: stop.signal, opened: open(keyline, `iterated-${names++}`, { signal: stop.signal }) };
  }

  /** An iteration that has brought something, and waits for more. */
  async function wait() {
    const { opened, ...rest } = begin();
    const { values, send } = await opened;
    const iterator = values[Symbol.asyncIterator]();
    await send(1);
    expect(await iterator.next()).toMatchObject({ done: false, value: { data: 1 } });
    return { ...rest, iterator, send, next: iterator.next() };
  }

  test("return ends what next waits for, and leaves no listener", async () => {
    const { iterator, next, signal, send } = await wait();
    expect(await iterator.return?.()).toEqual(ended);
    expect(await next).toEqual(ended);
    expect(await iterator.next()).toEqual(ended);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await send(2);
    expect(await iterator.next()).toEqual(ended);
  });

  test("throw ends what next waits for, and rejects with what it was given", async () => {
    const { iterator, next, signal } = await wait();
    const reason = new Error("enough");
    await expect(iterator.throw?.(reason)).rejects.toBe(reason);
    expect(await next).toEqual(ended);
    expect(await iterator.next()).toEqual(ended);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("of two nexts that wait each gets what comes for it, in order, or the end", async () => {
    const { iterator, next, send } = await wait();
    const second = iterator.next();
    await send(2);
    await send(3);
    expect([(await next).value, (await second).value]).toMatchObject([{ data: 2 }, { data: 3 }]);
    const [third, fourth] = [iterator.next(), iterator.next()];
    expect(await iterator.return?.()).toEqual(ended);
    expect(await Promise.all([third, fourth])).toEqual([ended, ended]);
  });

  test("its signal ends what next waits for", async () => {
    const { iterator, next, stop, signal } = await wait();
    const second = iterator.next();
    stop.abort();
    expect(await Promise.all([next, second])).toEqual([ended, ended]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("a next that lost a race against time is still answered, and the iteration can be left", async () => {
    const { iterator, next, signal } = await wait();
    expect(await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 10, "late"))])).toBe("late");
    await iterator.return?.();
    expect(await next).toEqual(ended);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("break ends it, and a second iteration of it ends at once", async () => {
    const { opened, signal } = begin();
    const { values, send } = await opened;
    await Promise.all([send(1), send(2)]);
    const seen: unknown[] = [];
    for await (const { data } of values) {
      seen.push(data);
      break;
    }
    for await (const { data } of values) seen.push(data);
    expect(seen).toEqual([1]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("closing the Keyline ends what next waits for", async () => {
    const { iterator, next, keyline, signal } = await wait();
    await keyline.close();
    expect(await next).toEqual(ended);
    expect(await iterator.next()).toEqual(ended);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe.each(["read", "follow"] as const)("stream.%s while Valkey says nothing", (way) => {
  test.each(["return", "throw"] as const)("%s waits for no answer", async (leave) => {
    const proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
    const keyline = stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });
    try {
      const stream = keyline.stream<number>("silent");
      await stream.append(1);
      proxy.stallAll();
      const { connections } = proxy;
      const iterator = (way === "read" ? stream.read() : stream.follow({ after: "-" }))[Symbol.asyncIterator]();
      const next = iterator.next();
      const left = leave === "return" ? iterator.return?.() : iterator.throw?.(new Error("enough")).catch(() => ended);
      expect(await left).toEqual(ended);
      expect(await next).toEqual(ended);
      expect(proxy.connections).toBe(connections);
    } finally {
      proxy.passAll();
      await keyline.close();
      await proxy.stop();
    }
  });
});
