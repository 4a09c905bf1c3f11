import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let proxy: WireProxy;
beforeAll(async () => {
  stage = await openQuietStage();
  proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
});
afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

test("a pause is not done while a worker's wait for a job may still be on its way to the server", async () => {
  const late = gate();
  proxy.holdRequest((bytes) => /^\*\d+\r\n\$6\r\nblmove/i.test(bytes.toString("latin1")), late.opened);
  const ran: number[] = [];
  const worker = stage
    .keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` })
    .queue<number>("q")
    .work(({ data }) => void ran.push(data));
  await eventually("it is about to wait", () => proxy.held === 1);
  const queue = stage.keyline().queue<number>("q");
  const pausing = queue.pause();
  // By then the worker has heard of it: it asked the server to end a wait that had not begun there.
  await Promise.race([pausing, new Promise((resolve) => setTimeout(resolve, 500))]);
  late.open();
  await pausing;
  await queue.add(1);
  for (let look = 0; look < 20; look++) expect(await queue.counts()).toMatchObject({ waiting: 1, running: 0, paused: true });
  expect(ran).toEqual([]);
  await queue.resume();
  await eventually("it goes on", () => ran.length === 1);
  await worker.stop();
});

test("a worker that has no room for a job hears of a pause too, and nobody waits for its lease to end", async () => {
  const done = gate();
  const worker = stage
    .keyline()
    .queue<number>("busy")
    .work(() => done.opened);
  const queue = stage.keyline().queue<number>("busy");
  await queue.add(1);
  await eventually("it runs", async () => (await queue.counts()).running === 1);
  await queue.pause();
  expect((await queue.counts()).running).toBe(1);
  expect(stage.log.filter(({ level }) => level === "warn")).toEqual([]);
  await queue.resume();
  done.open();
  await worker.stop();
});

test("a worker that was not told of a pause finds it with the renewal of its lease", async () => {
  const quick = { lease: 1_000 };
  const ran: number[] = [];
  const worker = stage
    .keyline()
    .queue<number>("untold", quick)
    .work(({ data }) => void ran.push(data));
  const queue = stage.keyline().queue<number>("untold", quick);
  await queue.add(1);
  await eventually("it works", () => ran.length === 1);
  const key = (name: string): string => `${stage.prefix}:{untold}:${name}`;
  await stage.valkey.hset(key("gates"), "paused", 1);
  await eventually("it has looked", async () => (await stage.valkey.scard(key("gated"))) === 1);
  await queue.add(2);
  for (let look = 0; look < 20; look++) expect(await queue.counts()).toMatchObject({ waiting: 1, running: 0, paused: true });
  await queue.resume();
  await eventually("it goes on", () => ran.length === 2);
  await worker.stop();
});
