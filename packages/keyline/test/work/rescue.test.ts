import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let server: EmbeddedValkey;
let stage: Stage;

beforeAll(async () => {
  server = await startValkey();
  stage = await openStage({ valkeyUrl: server.url });
});
afterAll(async () => {
  await stage.close();
  await server.stop();
});

const ran: string[] = [];

const shapes = {
  async queue(keyline: Keyline) {
    const queue = keyline.queue<string>("s", { lease: 600 });
    await queue.add("a job");
    return queue.work(({ data }) => void ran.push(data));
  },
  async stream(keyline: Keyline) {
    const stream = keyline.stream<string>("s");
    await stream.append("an entry");
    return stream.consume("g", ({ data }) => void ran.push(data), { lease: 600 });
  },
};

test.each([
  ["queue", "workers", "a job"],
  ["stream", "group:g:consumers", "an entry"],
] as const)("a rescue that breaks off is tried again with the next renewal, not at once (%s)", async (shape, owners, work) => {
  const key = `${stage.prefix}:{s}:${owners}`;
  await stage.valkey.call("ACL", "SETUSER", "restricted", "on", ">restricted", "~*", "&*", "+@all");
  const keyline = stage.keyline({ valkey: `valkey://restricted:restricted@${server.host}:${server.port}` });
  const owner = await shapes[shape](keyline);
  await eventually("it works", () => ran.includes(work));
  // From now on it may do all but forget one that is gone.
  await stage.valkey.call("ACL", "SETUSER", "restricted", "-zrem");
  await stage.valkey.zadd(key, 1, "ghost");
  const brokeOff = (): number => stage.log.filter(({ message }) => message.startsWith("a rescue broke off")).length;
  const atFirst = brokeOff();
  await eventually("it is tried again and again", () => brokeOff() >= atFirst + 3);
  const before = brokeOff();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  // With every renewal, five a second: at once it would be thousands.
  expect(brokeOff() - before).toBeLessThan(50);
  await stage.valkey.call("ACL", "SETUSER", "restricted", "+zrem");
  await eventually("the other one is forgotten", async () => (await stage.valkey.zscore(key, "ghost")) === null);
  await owner.stop();
});
