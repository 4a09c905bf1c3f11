import { startValkeyCluster, startValkeySentinel, type EmbeddedValkey } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import type { Job, KeylineOptions } from "keyline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openEither } from "../support/either-queue.ts";
import { ownerOf } from "../support/owner-of.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

interface Topology {
  readonly valkey: KeylineOptions["valkey"];
  /** The server that has the key is cut off from its replica, ends after `meanwhile`, and the replica takes over without what came in between. */
  failOver(key: string, meanwhile: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const topologies: Record<string, () => Promise<Topology>> = {
  "through sentinels": async () => {
    const sentinel = await startValkeySentinel();
    return {
      valkey: { sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })), name: sentinel.name },
      failOver: (_, meanwhile) => killCutOff(sentinel.primary, meanwhile),
      stop: () => sentinel.stop(),
    };
  },
  "on a cluster": async () => {
    const cluster = await startValkeyCluster();
    return {
      valkey: { cluster: cluster.nodes.map(({ host, port }) => ({ host, port })) },
      failOver: async (key, meanwhile) => killCutOff(await ownerOf(key, cluster.nodes), meanwhile),
      stop: () => cluster.stop(),
    };
  },
};

/** A replica that has lost its connection cannot come back, as it knows no password; whoever is connected needs none. */
async function killCutOff(server: EmbeddedValkey, meanwhile: () => Promise<void>): Promise<void> {
  const client = new Valkey(server.port, server.host);
  await client.config("SET", "requirepass", "unknown");
  await client.call("CLIENT", "KILL", "TYPE", "replica");
  await meanwhile();
  client.disconnect();
  await server.kill();
}

/** Those that have ended and were never told, though no gap was announced where they are missing. `ended` is the order in which they have ended. */
function unannounced(ended: readonly string[], told: readonly string[]): string[] {
  const known = new Set(told);
  const missing: string[] = [];
  let last = -1;
  let isAnnounced = false;
  for (const id of told) {
    const place = ended.indexOf(id);
    if (id === "gap") isAnnounced = true;
    if (place <= last) continue;
    if (!isAnnounced) missing.push(...ended.slice(last + 1, place).filter((other) => !known.has(other)));
    last = place;
    isAnnounced = false;
  }
  return [...missing, ...ended.slice(last + 1)];
}

describe.each(Object.keys(topologies))("%s", (name) => {
  let topology: Topology;
  beforeEach(async () => {
    topology = await (topologies[name] as () => Promise<Topology>)();
  }, 120_000);
  afterEach(() => topology.stop());

  test.each([{ transactional: false }, { transactional: true }])(
    "a failover: who follows events misses nothing unannounced, and who waits for a result gets it (transactional: $transactional)",
    async ({ transactional }) => {
      const open = (of = stage.keyline({ valkey: topology.valkey })) =>
        openEither<number>(of, `told-${transactional}`, { transactional, lease: 1_500, keepResult: 600_000, maxAttempts: 100 });
      const keyline = stage.keyline({ valkey: topology.valkey });
      const queue = open(keyline);
      const other = open();
      const base = `${stage.prefix}:{${queue.name}}`;

      const told: string[] = [];
      const following = new AbortController();
      const follower = (async () => {
        for await (const event of other.events({ signal: following.signal, onGap: () => void told.push("gap") }))
          if (event.type === "completed") told.push(event.id);
      })();
      await eventually("it is told", async () => (await keyline.command("HGET", `${base}:feed:state`, "ready")) === "1", 60_000);

      const ended: string[] = [];
      // One after the other, so that the order in which they end is known.
      const worker = queue.work((job: Job<number>) => job.data, { concurrency: 1 });
      worker.on("completed", ({ id }) => void (ended.includes(id) || ended.push(id)));
      worker.on("error", () => undefined);

      const waits: Promise<unknown>[] = [];
      let isOver = false;
      const adding = (async () => {
        for (let n = 0; !isOver; n++) {
          const added = await queue.add(n).catch(() => undefined);
          if (added) {
            const right = other.waitFor(added.id, { timeout: 90_000 }).then(
              (value) => value === n,
              (error: { readonly code: string }) => error.code,
            );
            waits.push(right);
          }
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      })();
      await eventually("some are told", () => told.length > 50, 60_000);
      await topology.failOver(`${base}:waiting`, async () => {
        const count = told.length;
        await eventually("more are told", () => told.length > count + 20);
      });
      const before = ended.length;
      await eventually("work goes on", () => ended.length > before + 50, 90_000);
      isOver = true;
      await adding;
      const answers = await Promise.all(waits);
      // What the replica did not have a plain queue has lost.
      expect(answers.filter((right) => right !== true && (transactional || right !== "JOB_UNKNOWN"))).toEqual([]);
      await eventually("all that has ended since is told", () => told.at(-1) === ended.at(-1), 60_000);
      expect(unannounced(ended, told)).toEqual([]);
      following.abort();
      await follower;
      await worker.stop();
    },
    240_000,
  );
});
