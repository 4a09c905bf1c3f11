import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
let collect: () => void;

beforeAll(async () => {
  stage = await openStage();
  setFlagsFromString("--expose-gc");
  collect = runInNewContext("gc") as () => void;
});

afterAll(() => stage.close());

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Publishes on so many names, a thousand at a time. */
async function publishOn(names: number, publish: (name: string) => Promise<unknown>): Promise<void> {
  for (let first = 0; first < names; first += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => publish(`user-${first + index}`)));
  }
}

const names = 20_000;

test.each([
  { what: "nothing", options: {}, bytes: 80 },
  { what: "a few bytes, of what they were made with,", options: { history: { size: 10 }, maxPayloadBytes: 2_000 }, bytes: 250 },
])("names that nobody uses any more leave $what behind", async ({ options, bytes }) => {
  const keyline = stage.keyline({ prefix: `${stage.prefix}_${bytes}` });
  await keyline.channel("first", options).publish(0);
  const before = heapBytes();
  await publishOn(names, (name) => keyline.channel(name, options).publish(1));
  await eventually(`the heap has grown by less than ${bytes} bytes a name`, () => heapBytes() - before < names * bytes);
});

test("a channel that was forgotten is made again with the options it had", async () => {
  const keyline = stage.keyline();
  const options = { history: { size: 10 } };
  const made = new WeakRef(keyline.channel("kept", options));
  await eventually("it is forgotten", () => {
    collect();
    return made.deref() === undefined;
  });
  expect(keyline.channel("kept").hasHistory).toBe(true);
  expect(() => keyline.channel("kept", { history: { size: 11 } })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});

test("a channel is the same object as long as somebody listens to it or is present", async () => {
  const keyline = stage.keyline();
  const listened = new WeakRef(keyline.channel("listened"));
  const attended = new WeakRef(keyline.channel("attended"));
  const watched = new WeakRef(keyline.channel("watched"));
  const forgotten = new WeakRef(keyline.channel("forgotten"));
  const heard = Promise.withResolvers<unknown>();
  const subscription = keyline.channel("listened").subscribe((message) => heard.resolve(message.data));
  await subscription.ready;
  let stay: { leave(): Promise<void> } | undefined = await keyline.channel("attended").presence.enter("ada");
  await keyline.channel("watched").presence.watch(() => undefined);
  await eventually("another one is forgotten", () => {
    collect();
    return forgotten.deref() === undefined;
  });
  expect(keyline.channel("listened")).toBe(listened.deref());
  expect(keyline.channel("attended")).toBe(attended.deref());
  expect(keyline.channel("watched")).toBe(watched.deref());
  await keyline.channel("listened").publish("hello");
  expect(await heard.promise).toBe("hello");
  await stay.leave();
  stay = undefined;
  expect(await keyline.channel("attended").presence.members()).toEqual([]);
  await eventually("who has left is forgotten", () => {
    collect();
    return attended.deref() === undefined;
  });
});
