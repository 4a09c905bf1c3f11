import { startValkeyCluster, startValkeySentinel } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Entry, Keyline, StreamGap } from "keyline";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

interface Watched {
  readonly ids: string[];
  readonly gaps: StreamGap[];
}

/** Follows until it has an entry whose data is `last`. */
async function watch(entries: (onGap: (gap: StreamGap) => void) => AsyncIterable<Entry<number>>, last: number): Promise<Watched> {
  const watched: Watched = { ids: [], gaps: [] };
  for await (const entry of entries((gap) => watched.gaps.push(gap))) {
    watched.ids.push(entry.id);
    if (entry.data === last) break;
  }
  return watched;
}

/** Appends, follows and consumes while `fault` strikes in the middle: of the record nothing is missing, and nothing comes twice. */
async function surviveFailover(keyline: Keyline, name: string, fault: () => Promise<void>): Promise<void> {
  const stream = keyline.stream<number>(name, { transactional: true, key: (n) => `k${n % 5}` });
  const total = 1_500;
  const handled = new Set<number>();
  const consumer = stream.consume("all", (entry) => void handled.add(entry.data), { concurrency: 10, lease: 1_500 });
  const following = [0, 1].map(() => watch((onGap) => stream.follow({ after: "-", onGap }), total - 1));
  const appending = (async () => {
    for (let n = 0; n < total; n++) await stream.append(n);
  })();
  await eventually("some are handled", () => handled.size > 200, 60_000);
  await fault();
  await appending;
  const record = (
    await stage.pool.query<{ id: string }>(
      "SELECT (position >> 20) || '-' || (position & 1048575) AS id FROM keyline.event WHERE stream = $1 ORDER BY position",
      [name],
    )
  ).rows.map(({ id }) => id);
  expect(record).toHaveLength(total);
  for (const { ids, gaps } of await Promise.all(following)) {
    expect(ids).toEqual(record);
    expect(gaps).toEqual([]);
  }
  await eventually("all are handled", () => handled.size === total, 90_000);
  await consumer.stop();
}

async function plainRoundTrip(keyline: Keyline): Promise<void> {
  const streams = ["plain-a", "plain-b", "plain-c"].map((name) => keyline.stream<number>(name, { key: (n) => `k${n % 2}` }));
  for (const stream of streams) {
    await eventually("appending works", () =>
      stream.append(-1).then(
        () => true,
        () => false,
      ),
    );
    const taken = watch(() => stream.follow({ after: "-" }), 99);
    await stream.appendMany(Array.from({ length: 100 }, (_, n) => n));
    expect((await taken).ids).toHaveLength(101);
    expect(await stream.history("k1")).toHaveLength(50);
    const seen: number[] = [];
    const consumer = stream.consume("g", (entry) => void seen.push(entry.data), { concurrency: 4 });
    await eventually("all are handled", () => seen.length === 101);
    await consumer.stop();
    expect(await stream.groups()).toMatchObject([{ name: "g", lag: 0, pending: 0 }]);
  }
}

describe("through sentinels", () => {
  test("a killed primary: followers and groups go on with the replica, whatever it had", async () => {
    const sentinel = await startValkeySentinel();
    const valkey = { sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })), name: sentinel.name };
    const keyline = stage.keyline({ valkey, prefix: "sentinel" });
    await plainRoundTrip(keyline);
    await surviveFailover(keyline, "sentinel", () => sentinel.primary.kill());
    await keyline.close();
    await sentinel.stop();
  }, 180_000);
});

describe("on a cluster", () => {
  test("a killed primary: followers and groups go on with its replica, whatever it had", async () => {
    const cluster = await startValkeyCluster();
    const valkey = { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) };
    const keyline = stage.keyline({ valkey, prefix: "cluster" });
    await plainRoundTrip(keyline);
    await surviveFailover(keyline, "cluster", async () => {
      for (const node of cluster.nodes) {
        const client = new Valkey(node.port, node.host);
        const [role, keys] = await Promise.all([client.role(), client.keys("cluster:{cluster}:events")]).finally(() => client.disconnect());
        if ((role as string[])[0] === "master" && keys.length > 0) return node.kill();
      }
      throw new Error("no primary has the stream");
    });
    await keyline.close();
    await cluster.stop();
  }, 180_000);
});
