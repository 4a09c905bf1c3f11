import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import type { Keyline } from "keyline";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { containing, startWireProxy, targetOf, through, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let toValkey: WireProxy;
let slow: Keyline;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());
beforeEach(async () => {
  toValkey = await startWireProxy({ target: targetOf(inject("valkeyUrl")) });
  slow = stage.keyline({ valkey: through(stage.valkeyUrl, toValkey) });
});
afterEach(async () => {
  toValkey.passAll();
  await slow.close();
  await toValkey.stop();
});

const options = { transactional: true, lease: 1_000 } as const;
let names = 0;
const nextName = (): string => `swept${names++}`;
const keyOf = (queue: string, key: string): string => `${stage.prefix}:{${queue}}:${key}`;
const scheduled = (queue: string): Promise<string[]> => stage.valkey.zrange(keyOf(queue, "scheduled"), 0, -1);
const hourMs = 3_600_000;

async function rowsOf(queue: string): Promise<number> {
  return (await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [queue])).rowCount ?? 0;
}

async function noElementIsLeft(queue: string): Promise<void> {
  await eventually("no element is left", async () => (await scheduled(queue)).length === 0, 60_000);
}

/** Whether a parent's element came to Valkey when all was over. */
async function comesLate(parents: string, children: string): Promise<boolean> {
  const late = stage.keyline({ valkey: through(stage.valkeyUrl, toValkey) });
  const come = gate();
  const workers = [parents, children].map((name) =>
    stage
      .keyline()
      .queue<number>(name, options)
      .work(() => undefined),
  );
  const held = toValkey.held;
  // The adder's push of the parent is on its way for as long as the test says; relays bring both meanwhile.
  toValkey.holdRequest(containing(`"parks":1`), come.opened);
  const queue = late.queue<number>(children, options);
  await late.queue<number>(parents, options).add(1, { children: [{ queue, data: 1 }] });
  await eventually("the push is on its way, and all is over", async () => toValkey.held > held && (await rowsOf(parents)) === 0, 60_000);
  await Promise.all(workers.map((worker) => worker.stop()));
  come.open();
  // Where that took long its connection was given up.
  const hasCome = await eventually("it has come", async () => (await scheduled(parents)).length === 1, 3_000).then(
    () => true,
    () => false,
  );
  await late.close();
  return hasCome;
}

test("the element of a parent that comes to Valkey when all is over goes soon", async () => {
  let parents = nextName();
  for (let tries = 0; !(await comesLate(parents, nextName())) && tries < 5; tries++) parents = nextName();
  expect(await scheduled(parents)).toHaveLength(1);
  const worker = stage
    .keyline()
    .queue<number>(parents, options)
    .work(() => undefined);
  await noElementIsLeft(parents);
  await worker.stop();
}, 240_000);

test("the element of a job that was woken before its worker had put it on the schedule goes soon, though the answer to that got lost", async () => {
  const name = nextName();
  const begun = gate();
  const goOn = gate();
  const come = gate();
  const done = gate();
  const cut = slow.queue<number>(name, options).work(async (job) => {
    if (job.data === 0) return job.sleep("so that the server knows the script", 10);
    begun.open();
    await goOn.opened;
    await job.signalled("go");
    done.open();
  });
  const queue = stage.keyline().queue<number>(name, options);
  await queue.add(0);
  await eventually("it has slept", async () => (await rowsOf(name)) === 0);
  const { id } = await queue.add(1);
  await begun.opened;
  const isParking = containing(`"parks":1`);
  toValkey.holdRequest(isParking, come.opened);
  toValkey.swallowReply(isParking);
  goOn.open();
  await eventually("it is parked, and the schedule is on its way", () => toValkey.held > 0);
  expect(await queue.signal(id, "go")).toBe(true);
  // Its present element waits before the one of before has come.
  await eventually("it is awake", async () => (await stage.valkey.llen(keyOf(name, "waiting"))) === 1);
  come.open();
  await done.opened;
  await eventually("it has ended", async () => (await rowsOf(name)) === 0);
  expect(toValkey.swallowed).toBe(1);
  await noElementIsLeft(name);
  await cut.stop();
}, 120_000);

test("what is out of date goes from the schedule, lets its group go on, and nothing else is touched", async () => {
  const name = nextName();
  const queue = stage.keyline().queue<number>(name, options);
  const ran: number[] = [];
  const worker = queue.work(async (job) => {
    if (job.data === 1) await job.signalled("never");
    ran.push(job.data);
  });
  // One rests, one is due later, and one had a failure and is due later.
  const { id: resting } = await queue.add(1);
  await eventually("it rests", async () => (await scheduled(name)).length === 1);
  await queue.add(2, { delay: hourMs });
  const { id: failed } = await queue.add(3, { delay: hourMs });
  await stage.pool.query("UPDATE keyline.job SET attempts = 2 WHERE queue = $1 AND id = $2", [name, failed]);
  await eventually("all are there", async () => (await scheduled(name)).length === 3);
  const elements = await scheduled(name);
  const third = elements.find((element) => element.includes(failed)) ?? "";
  const tried = third.replace("{", `{"attempts":2,`);
  await stage.valkey
    .multi()
    .zrem(keyOf(name, "scheduled"), third)
    .zadd(keyOf(name, "scheduled"), Date.now() + hourMs, tried)
    .exec();
  const rest = await scheduled(name);
  // As whoever dies, or is late, leaves them behind.
  const late = [
    `{"id":"gone","at":1,"parks":1,"again":true,"data":1}`,
    `{"id":"${resting}","at":1,"again":true,"data":1}`,
    tried.replace(`"attempts":2`, `"attempts":1`),
    `{"id":"grouped","at":1,"parks":1,"again":true,"group":"g","data":1}`,
  ];
  for (const element of late) await stage.valkey.zadd(keyOf(name, "scheduled"), Date.now() + 24 * hourMs, element);
  await stage.valkey.hset(keyOf(name, "grouped"), "g", `grouped\x1e${Date.now()}`);
  await queue.add(4, { group: "g" });
  await eventually("what was behind it in the group ran", () => ran.includes(4), 60_000);
  await eventually("the late ones are gone", async () => (await scheduled(name)).length === rest.length, 60_000);
  expect((await scheduled(name)).toSorted()).toEqual(rest.toSorted());
  expect(ran).toEqual([4]);
  await worker.stop();
}, 120_000);

test("a look that had to wait does not put the next one off", async () => {
  const name = nextName();
  const queue = stage.keyline().queue<number>(name, options);
  const worker = queue.work((job) => job.signalled("never"));
  await queue.add(1);
  await eventually("it rests", async () => (await scheduled(name)).length === 1);
  // While somebody looks the key is there for a minute.
  const leftMs = (): Promise<number> => stage.valkey.pttl(keyOf(name, "swept"));
  const client = await stage.pool.connect();
  await client.query("BEGIN");
  for (let isLooking = false; !isLooking;) {
    await eventually("nobody looks, or rests", async () => (await leftMs()) < 0, 30_000);
    await client.query("LOCK TABLE keyline.job IN ACCESS EXCLUSIVE MODE");
    await eventually("somebody looks, or has looked", async () => (await leftMs()) > 0, 30_000);
    isLooking = (await leftMs()) > 15_000;
    if (!isLooking) await client.query("ROLLBACK; BEGIN");
  }
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await client.query("COMMIT");
  client.release();
  let left = 0;
  await eventually("it has looked", async () => {
    left = await leftMs();
    return left <= 10_000 || left > 60_000;
  });
  expect(left).toBeLessThanOrEqual(10_000);
  await worker.stop();
}, 120_000);
