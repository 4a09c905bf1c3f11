import { afterAll, beforeAll, expect, test } from "vitest";
import { findElement, findElements } from "../../../src/queue/jobs/job-finder.ts";
import { ListEnds } from "../../../src/queue/jobs/second-look.ts";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { QueueStore } from "../../../src/valkey/queue/queue-store.ts";
import { openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let connection: ValkeyConnection;

beforeAll(async () => {
  stage = await openQuietStage();
  connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger: silentLogger, silenceMs: 5_000 });
});

afterAll(async () => {
  connection.close();
  await stage.close();
});

const elementOf = (id: string): string => `{"id":"${id}","at":1700000000000,"data":1}`;

async function fill(name: string, count: number): Promise<QueueStore> {
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, name));
  await stage.valkey.lpush(store.keys.waiting, ...Array.from({ length: count }, (_, index) => elementOf(`job-${index}`)));
  return store;
}

async function readsOf(work: () => Promise<unknown>): Promise<number> {
  await stage.valkey.config("RESETSTAT");
  await work();
  return Number(/cmdstat_lrange:calls=(\d+)/.exec(await stage.valkey.info("commandstats"))?.[1] ?? 0);
}

test("a second look reads the ends of what the first one has seen, and finds what came there meanwhile", async () => {
  const store = await fill("ends", 30_000);
  const ends = new ListEnds();
  const first = await readsOf(async () => expect(await findElements(store, ["new", "returned", "again"], ends)).toEqual([]));
  await stage.valkey.lpush(store.keys.waiting, elementOf("new"), ...Array.from({ length: 700 }, (_, index) => elementOf(`later-${index}`)));
  await stage.valkey.rpush(
    store.keys.waiting,
    ...Array.from({ length: 700 }, (_, index) => elementOf(`back-${index}`)),
    elementOf("returned"),
  );
  await stage.valkey.zadd(store.keys.scheduled, 4e12, elementOf("again"));
  let found: string[] = [];
  const second = await readsOf(async () => {
    found = (await findElements(store, ["new", "returned", "again", "nowhere"], ends)).map(({ raw }) => raw);
  });
  expect(found.toSorted()).toEqual(["again", "new", "returned"].map(elementOf));
  expect(second).toBeLessThan(first / 3);
});

test("a second look reads all of a list whose ends were taken meanwhile", async () => {
  const store = await fill("drained", 3_000);
  const ends = new ListEnds();
  expect(await findElements(store, ["back"], ends)).toEqual([]);
  await stage.valkey.del(store.keys.waiting);
  await stage.valkey.lpush(store.keys.waiting, ...Array.from({ length: 1_000 }, (_, index) => elementOf(`a-${index}`)));
  await stage.valkey.lpush(store.keys.waiting, elementOf("back"), ...Array.from({ length: 1_000 }, (_, index) => elementOf(`b-${index}`)));
  expect((await findElements(store, ["back"], ends)).map(({ raw }) => raw)).toEqual([elementOf("back")]);
});

test("an id that Keyline made is found with a few looks, whatever the clocks of those who add", async () => {
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, "near"));
  const idOf = (index: number): string => `${(1_700_000_000_000 + index).toString(36).padStart(9, "0")}000processa`.slice(0, 20);
  const count = 20_000;
  // One in ten has a clock that is behind; one in a thousand was redriven, and stub elements stand between them.
  const order = Array.from({ length: count }, (_, index) => index + (index % 10 === 3 ? -40 : 0)).map((index) => Math.max(0, index));
  const unique = [...new Set(order)];
  await stage.valkey.lpush(
    store.keys.waiting,
    ...unique.map((index) => `{"id":"${idOf(index)}","at":${1_700_000_000_000 + index},"data":1}`),
  );
  let most = 0;
  for (const index of [unique[5], unique[9_000], unique[9_003], unique[15_551], unique.at(-2)]) {
    const id = idOf(index ?? 0);
    const reads = await readsOf(async () => expect(await findElement(store, id)).toMatchObject({ place: "waiting" }));
    most = Math.max(most, reads);
  }
  expect(most).toBeLessThan(5);
  // Where it stands elsewhere than its time says it is found all the same.
  const strayed = idOf(3);
  await stage.valkey.lrem(store.keys.waiting, 0, `{"id":"${strayed}","at":1700000000003,"data":1}`);
  await stage.valkey.lpush(store.keys.waiting, `{"id":"${strayed}","at":1700000000003,"data":1}`);
  expect(await findElement(store, strayed)).toMatchObject({ raw: expect.stringContaining(strayed) });
});
