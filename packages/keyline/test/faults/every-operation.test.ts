import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { actsOf } from "../support/operator-acts.ts";
import { readsOf } from "../support/operator-reads.ts";

let keyline: Keyline;
beforeAll(() => {
  const silent = (): void => undefined;
  // Nobody is there: nothing is sent.
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  keyline = new Keyline({ valkey: "valkey://127.0.0.1:1", postgres: "postgres://127.0.0.1:1/none", logger });
});
afterAll(() => keyline.close());

/** What has tests of its own for answers that get lost: adds, publishes and appends, and what goes on until it is stopped; or asks PostgreSQL alone. */
const apart: Readonly<Record<string, readonly string[]>> = {
  queue: ["add", "addMany", "events", "waitFor", "work", "workBatch"],
  stream: ["append", "appendMany", "consume", "find", "follow", "group", "project"],
  channel: ["publish", "subscribe"],
  presence: ["start", "stop", "watch"],
  keyline: ["channel", "channels", "close", "command", "migrate", "queue", "stream", "transaction"],
};

function methodsOf(thing: object): string[] {
  const names = new Set<string>();
  for (
    let prototype: unknown = Object.getPrototypeOf(thing);
    prototype && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof value === "function" && name !== "constructor") names.add(name);
    }
  }
  return [...names];
}

/** Those of the methods that are in no list. */
function forgotten(thing: object, { kind, tried }: { readonly kind: string; readonly tried: ReadonlySet<string> }): string[] {
  const fullName = (name: string): string => (kind === "queue" || kind === "keyline" ? name : `${kind}.${name}`);
  return methodsOf(thing).filter((name) => !tried.has(fullName(name)) && !apart[kind]?.includes(name));
}

test("every operation is among those that are tried while answers get lost, or is known to be tried elsewhere", () => {
  const on = { name: "q", transactional: true, entry: "entry" };
  const reads = [...readsOf(keyline).keys()].map((name) => name.replace(/ \((?:plain|rows)\)$/, ""));
  const tried = new Set([...Object.keys(actsOf(keyline, on)), ...reads]);
  const stream = keyline.stream("s");
  const channel = keyline.channel("c");
  const things = { queue: keyline.queue("q"), stream, group: stream.group("g"), channel, presence: channel.presence, audit: keyline.audit };
  const all: Record<string, object> = { ...things, directory: keyline.directory, keyline };
  const missing = Object.entries(all).flatMap(([kind, thing]) => forgotten(thing, { kind, tried }).map((name) => `${kind}.${name}`));
  expect(missing).toEqual([]);
  // And one that comes is seen.
  class Later extends Object {
    purge(): Promise<void> {
      return Promise.resolve();
    }
  }
  expect(forgotten(new Later(), { kind: "queue", tried })).toEqual(["purge"]);
});
