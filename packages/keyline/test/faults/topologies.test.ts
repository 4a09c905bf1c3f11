import { startValkeyCluster, startValkeySentinel } from "@keyline/embedded";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keyline } from "keyline";
import { ownerOf } from "../support/owner-of.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

type N = { readonly n: number };

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (queue text, n integer)");
});
afterAll(() => stage.close());

const effects = async (queue: string): Promise<number[]> =>
  (await stage.pool.query<N>("SELECT n FROM effects WHERE queue = $1 ORDER BY n", [queue])).rows.map(({ n }) => n);

/** Adds and works while `fault` strikes in the middle, and checks that every order was processed exactly once. */
async function surviveFailover(keyline: Keyline, name: string, fault: () => Promise<void>): Promise<void> {
  const queue = keyline.queue<N>(name, { transactional: true, lease: 1_500 });
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1, $2)", [name, job.data.n])));
    },
    { concurrency: 8 },
  );
  const total = 1_200;
  const adding = (async () => {
    for (let n = 0; n < total; n++) await keyline.transaction((tx) => queue.add({ n }, { tx }));
  })();
  await eventually("some are settled", async () => (await effects(name)).length > 100, 60_000);
  await fault();
  await adding;
  await eventually("all are settled", async () => (await effects(name)).length >= total, 90_000);
  await eventually(
    "no row is left",
    async () => (await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [name])).rows.length === 0,
  );
  expect(await effects(name)).toEqual(Array.from({ length: total }, (_, n) => n));
  await worker.stop();
}

async function plainRoundTrip(keyline: Keyline): Promise<void> {
  const queue = keyline.queue<N>("plain-here");
  const seen: number[] = [];
  const worker = queue.work((job) => void seen.push(job.data.n), { concurrency: 4 });
  await eventually("adding works", () =>
    queue.add({ n: 0 }).then(
      () => true,
      () => false,
    ),
  );
  await queue.addMany(Array.from({ length: 99 }, (_, n) => ({ data: { n: n + 1 } })));
  await eventually("all ran", () => seen.length === 100);
  await worker.stop();
  expect(await queue.counts()).toMatchObject({ waiting: 0, running: 0, scheduled: 0, dead: 0 });
}

describe("through sentinels", () => {
  test("a killed primary: the replica takes over, and every order is processed exactly once", async () => {
    const sentinel = await startValkeySentinel();
    const keyline = stage.keyline({
      valkey: { sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })), name: sentinel.name },
      prefix: "sentinel",
    });
    await plainRoundTrip(keyline);
    await surviveFailover(keyline, "sentinel", () => sentinel.primary.kill());
    await keyline.close();
    await sentinel.stop();
  }, 180_000);
});

describe("on a cluster", () => {
  test("a killed primary: its replica takes over, and every order is processed exactly once", async () => {
    const cluster = await startValkeyCluster();
    const keyline = stage.keyline({ valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) }, prefix: "cluster" });
    await plainRoundTrip(keyline);
    await surviveFailover(keyline, "cluster", async () => {
      const owner = await ownerOf("cluster:{cluster}:waiting", cluster.nodes);
      await owner.kill();
    });
    await keyline.close();
    await cluster.stop();
  }, 180_000);
});
