import { startValkeyCluster, startValkeySentinel } from "@keyline/embedded";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

interface KeyedEvent {
  readonly key: string;
  readonly n: number;
}

const total = 600;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (stream text, n integer, at serial)");
});
afterAll(() => stage.close());

async function effectsOf(stream: string): Promise<number[]> {
  const { rows } = await stage.pool.query<KeyedEvent>("SELECT n FROM effects WHERE stream = $1 ORDER BY at", [stream]);
  return rows.map(({ n }) => n);
}

/** Appends and settles while `fault` strikes in the middle, and checks that every event was settled once, and those of a key in their order. */
async function surviveFailover(keyline: Keyline, name: string, fault: () => Promise<void>): Promise<void> {
  const stream = keyline.stream<KeyedEvent>(name, { transactional: true, key: ({ key }) => key });
  const consumer = stream.consume(
    "g",
    async ({ data: { n } }, { settle }) => {
      await settle(async (tx) => void (await tx.query("INSERT INTO effects (stream, n) VALUES ($1, $2)", [name, n])));
    },
    { concurrency: 8, lease: 1_500 },
  );
  consumer.on("error", () => undefined);
  const appending = (async () => {
    for (const n of numbers(total)) await stream.append({ key: `k${n % 7}`, n });
  })();
  await eventually("some are settled", async () => (await effectsOf(name)).length > 50, 60_000);
  await fault();
  await appending;
  await eventually("all are settled", async () => (await effectsOf(name)).length >= total, 90_000);
  await eventually(
    "nothing is pending",
    async () => {
      const { lag, pending } = await stream.group("g").status();
      return lag + pending === 0;
    },
    60_000,
  );
  const effects = await effectsOf(name);
  expect(effects.toSorted((a, b) => a - b)).toEqual(numbers(total));
  for (const key of numbers(7)) expect(effects.filter((n) => n % 7 === key)).toEqual(numbers(total).filter((n) => n % 7 === key));
  await consumer.stop();
}

async function plainRoundTrip(keyline: Keyline): Promise<void> {
  const stream = keyline.stream<KeyedEvent>("plain");
  const seen: number[] = [];
  const consumer = stream.consume(
    "g",
    ({ data, attempt }) => {
      if (data.n === 3 && attempt === 1) throw new Error("once more");
      seen.push(data.n);
    },
    { concurrency: 4, backoff: { type: "fixed", delay: 10 } },
  );
  await Promise.all(numbers(100).map((n) => stream.append({ key: "", n })));
  await eventually("all ran", () => seen.length === 100);
  await consumer.stop();
  expect((await stream.groups())[0]).toMatchObject({ name: "g", lag: 0, pending: 0 });
  await stream.group("g").remove();
}

test("through sentinels, with a killed primary, a group settles every event once", async () => {
  const sentinel = await startValkeySentinel();
  const sentinels = sentinel.sentinels.map(({ host, port }) => ({ host, port }));
  const keyline = stage.keyline({ valkey: { sentinels, name: sentinel.name }, prefix: "sentinel" });
  await surviveFailover(keyline, "sentinel", () => sentinel.primary.kill());
  await keyline.close();
  await sentinel.stop();
}, 180_000);

test("on a cluster, with a killed primary, a group settles every event once", async () => {
  const cluster = await startValkeyCluster();
  const keyline = stage.keyline({ valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) }, prefix: "cluster" });
  await plainRoundTrip(keyline);
  await surviveFailover(keyline, "cluster", async () => {
    const slot = await keyline.command("CLUSTER", "KEYSLOT", "cluster:{cluster}:events");
    const shards = (await keyline.command("CLUSTER", "SLOTS")) as [first: number, last: number, primary: [host: string, port: number]][];
    const owner = shards.find(([first, last]) => first <= Number(slot) && Number(slot) <= last);
    await cluster.nodes.find(({ port }) => port === owner?.[2][1])?.kill();
  });
  await keyline.close();
  await cluster.stop();
}, 180_000);
