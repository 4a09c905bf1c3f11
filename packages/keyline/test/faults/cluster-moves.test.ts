import { startValkeyCluster, type EmbeddedValkey, type EmbeddedValkeyCluster } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lettersOf } from "../support/letters.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

type N = { readonly n: number };

/** One for each connection that had nothing to do until then. */
const mostRedirections = 10;

let stage: Stage;
let cluster: EmbeddedValkeyCluster;
let keyline: Keyline;
const clients = new Map<EmbeddedValkey, Valkey>();
beforeAll(async () => {
  [stage, cluster] = await Promise.all([openStage(), startValkeyCluster()]);
  keyline = stage.keyline({ valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) }, prefix: "moves" });
  await keyline.migrate();
  await stage.pool.query("CREATE TABLE effects (queue text, n integer)");
  for (const node of cluster.nodes) clients.set(node, new Valkey(node.port, node.host));
}, 120_000);
afterAll(async () => {
  for (const client of clients.values()) client.disconnect();
  await stage.close();
  await cluster.stop();
});

const effectsOf = async (queue: string): Promise<number[]> =>
  (await stage.pool.query<N>("SELECT n FROM effects WHERE queue = $1 ORDER BY n", [queue])).rows.map(({ n }) => n);

async function command<Answer>(node: EmbeddedValkey, name: string, ...values: readonly (string | number)[]): Promise<Answer> {
  return (await clients.get(node)?.call(name, ...values.map(String))) as Answer;
}

interface Place {
  readonly node: EmbeddedValkey;
  readonly id: string;
  readonly isPrimary: boolean;
  /** Of a replica. */
  readonly of: string;
  readonly owns: (slot: number) => boolean;
}

/** The nodes as the first of them sees them. */
async function places(): Promise<Place[]> {
  const [first] = cluster.nodes;
  if (!first) return [];
  const lines = (await command<string>(first, "CLUSTER", "NODES")).trim().split("\n");
  return lines.flatMap((line) => {
    const [id = "", address = "", flags = "", of = "", , , , , ...slots] = line.split(" ");
    const node = cluster.nodes.find(({ port }) => address.includes(`:${port}@`));
    const ranges = slots.map((range) => range.split("-").map(Number));
    const owns = (slot: number): boolean => ranges.some(([low = -1, high = low]) => slot >= low && slot <= high);
    return node ? [{ node, id, isPrimary: flags.includes("master"), of, owns }] : [];
  });
}

/** Moves the slot to another primary, key by key. */
async function reshard(slot: number): Promise<void> {
  const primaries = (await places()).filter(({ isPrimary }) => isPrimary);
  const from = primaries.find((place) => place.owns(slot));
  const to = primaries.find((place) => place !== from);
  if (!from || !to) throw new Error("nobody owns the slot");
  await command(to.node, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
  await command(from.node, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
  let moved = 0;
  for (;;) {
    const keys = await command<string[]>(from.node, "CLUSTER", "GETKEYSINSLOT", slot, 1);
    if (keys.length === 0) break;
    moved += keys.length;
    await command(from.node, "MIGRATE", to.node.host, to.node.port, "", 0, 5_000, "REPLACE", "KEYS", ...keys);
  }
  expect(moved, "keys that were moved one by one").toBeGreaterThan(1);
  for (const { node } of [to, from, ...primaries]) await command(node, "CLUSTER", "SETSLOT", slot, "NODE", to.id);
}

/** How often the nodes have said that a key is somewhere else. */
async function redirections(): Promise<number> {
  const told = await Promise.all(cluster.nodes.map((node) => command<string>(node, "INFO", "errorstats")));
  return [...told.join("\n").matchAll(/errorstat_(?:MOVED|ASK):count=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Adds and works while `strike` moves the queue's slot. */
async function surviveMove(name: string, strike: (slot: number) => Promise<void>): Promise<void> {
  const queue = keyline.queue<N>(name, { transactional: true, lease: 1_500 });
  const worker = queue.work(
    async (job, { settle }) => {
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ($1, $2)", [name, job.data.n])));
    },
    { concurrency: 4 },
  );
  worker.on("error", () => undefined);
  let added = 0;
  let isOver = false;
  const adding = (async () => {
    while (!isOver) await keyline.transaction((tx) => queue.add({ n: added }, { tx })).then(() => added++);
  })();
  await eventually("some are settled", async () => (await effectsOf(name)).length > 50, 60_000);
  const [first] = cluster.nodes;
  const slot = first ? await command<number>(first, "CLUSTER", "KEYSLOT", `moves:{${name}}:waiting`) : 0;
  await strike(slot);
  const then = (await effectsOf(name)).length;
  await eventually("more are settled where the slot is now", async () => (await effectsOf(name)).length > then + 50, 60_000);
  // Whoever was told where the slot is now does not ask elsewhere again, however much there is to do.
  const [redirected, settled] = [await redirections(), (await effectsOf(name)).length];
  await eventually("work goes on", async () => (await effectsOf(name)).length > settled + 100, 60_000);
  const more = (await redirections()) - redirected;
  isOver = true;
  await adding;
  expect(more, "redirections for a hundred jobs").toBeLessThanOrEqual(mostRedirections);
  await eventually("every job has its effect", async () => (await effectsOf(name)).length >= added, 60_000);
  expect(await effectsOf(name)).toEqual(Array.from({ length: added }, (_, n) => n));
  await eventually("nothing is left", async () => {
    const { waiting, running, scheduled } = await queue.counts();
    return waiting + running + scheduled === 0;
  });
  await worker.stop();
}

test("a replica that takes over without asking anybody: the queue goes on with it, and every effect is there once", async () => {
  await surviveMove("takeover", async (slot) => {
    const before = (await places()).find((place) => place.isPrimary && place.owns(slot));
    const replica = (await places()).find((place) => place.of === before?.id);
    if (!replica) throw new Error("the primary has no replica");
    await command(replica.node, "CLUSTER", "FAILOVER", "TAKEOVER");
    await eventually("the slot is the replica's", async () =>
      (await places()).some((place) => place.id === replica.id && place.isPrimary && place.owns(slot)),
    );
  });
}, 180_000);

test("the queue's slot moves to another primary under load, key by key: nothing is lost or done twice", async () => {
  await surviveMove("reshard", reshard);
}, 180_000);

test("most primaries do not answer for a while, and the cluster serves nobody: everything goes on when they are back", async () => {
  await surviveMove("majority", async (slot) => {
    const primaries = (await places()).filter(({ isPrimary }) => isPrimary);
    const others = primaries.filter((place) => !place.owns(slot));
    const owner = primaries.find((place) => place.owns(slot));
    for (const { node } of others) node.pause();
    if (owner) {
      await eventually(
        "the cluster is down",
        async () => (await command<string>(owner.node, "CLUSTER", "INFO")).includes("cluster_state:fail"),
        60_000,
      );
    }
    for (const { node } of others) node.resume();
    if (owner) {
      await eventually(
        "the cluster is up",
        async () => (await command<string>(owner.node, "CLUSTER", "INFO")).includes("cluster_state:ok"),
        60_000,
      );
    }
  });
}, 240_000);

test("dead letters are written, read, redriven and discarded while their slot moves: none is lost, none is there twice", async () => {
  const queue = keyline.queue<number>("buried", { maxAttempts: 1 });
  let isMended = false;
  const ran: number[] = [];
  const worker = queue.work((job) => {
    if (!isMended) throw new Error("no");
    ran.push(job.data);
  });
  worker.on("error", () => undefined);
  let added = 0;
  let isOver = false;
  const adding = (async () => {
    while (!isOver) await queue.add(added).then(() => added++);
  })();
  await eventually("some are dead", async () => (await queue.counts()).dead > 50, 60_000);
  const [first] = cluster.nodes;
  await reshard(first ? await command<number>(first, "CLUSTER", "KEYSLOT", "moves:{buried}:waiting") : 0);
  const then = added;
  await eventually("more are added", () => added > then + 50, 60_000);
  isOver = true;
  await adding;
  await eventually("all are dead", async () => (await queue.counts()).dead === added, 60_000);
  const letters = await lettersOf(queue);
  expect(letters.map(({ data }) => data as number).toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: added }, (_, n) => n),
  );
  const discarded = letters.slice(0, 20).map(({ id }) => id);
  expect(await queue.discard({ ids: discarded })).toBe(20);
  isMended = true;
  expect(await queue.redrive({ all: true })).toBe(added - 20);
  await eventually("they ran", () => ran.length === added - 20, 60_000);
  await worker.stop();
}, 180_000);
