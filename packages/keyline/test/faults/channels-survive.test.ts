import { startValkey, startValkeyCluster, startValkeySentinel } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { Channel, Gap, Keyline } from "keyline";
import { ChannelObserver } from "../support/channel-observer.ts";
import { seeded } from "../support/processes.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";
import { startWireProxy, targetOf } from "../support/wire-proxy.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000));
const history = { size: 100_000 };

interface Load {
  /** Ids whose publisher was told that they are published. */
  readonly published: string[];
  readonly refused: { count: number };
  stop(): Promise<void>;
}

/** Publishes without a break, one message after another from each publisher. */
function publishSteadily(channels: readonly Channel<unknown>[]): Load {
  const published: string[] = [];
  const refused = { count: 0 };
  const stopping = new AbortController();
  const running = channels.map(async (channel, index) => {
    for (let number = 0; !stopping.signal.aborted; number++) {
      try {
        published.push((await channel.publish({ from: index, number })).id);
      } catch {
        refused.count++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  });
  return {
    published,
    refused,
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** Observers come and go under load while `strike` happens; afterwards each was told everything, or of a gap. */
async function survive(
  { keylines, name, client }: { readonly keylines: readonly Keyline[]; readonly name: string; readonly client: () => Promise<string[]> },
  strike: () => Promise<void>,
): Promise<readonly ChannelObserver[]> {
  const random = seeded(seed);
  const channels = keylines.map((keyline) => keyline.channel(name, { history }));
  const observers = channels.flatMap((channel) => [new ChannelObserver(channel), new ChannelObserver(channel)]);
  await Promise.all(observers.map((observer) => observer.come()));
  const load = publishSteadily(channels);
  const restless = new AbortController();
  const moving = observers.slice(1).map(async (observer) => {
    while (!restless.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 30 + random() * 200));
      await observer.go();
      await new Promise((resolve) => setTimeout(resolve, random() * 100));
      const coming = observer.come();
      await Promise.race([coming, new Promise((resolve) => setTimeout(resolve, 500))]);
      coming.catch(() => undefined);
    }
  });
  await eventually("publishing is under way", () => load.published.length > 300);
  await strike();
  const before = load.published.length;
  await eventually("publishing goes on", () => load.published.length > before + 300, 60_000);
  restless.abort();
  await Promise.all(moving);
  await load.stop();
  const kept = await client();
  const last = kept.at(-1);
  await eventually("every observer is up to date", () => observers.every((observer) => observer.ids.at(-1) === last), 60_000).catch(
    () => undefined,
  );
  // The seed is in the message, to have the same schedule again.
  for (const observer of observers)
    expect({ seed, faults: observer.faults({ kept, published: load.published }) }).toEqual({ seed, faults: [] });
  await Promise.all(observers.map((observer) => observer.go()));
  return observers;
}

async function readKept(url: string, key: string): Promise<string[]> {
  const client = new Valkey(url.replace("valkey:", "redis:"), { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on("error", () => undefined);
  const entries = await client.xrange(key, "-", "+").finally(() => client.disconnect());
  return entries.flatMap(([, fields]) => (fields[0] === "id" ? [fields[1] ?? ""] : []));
}

async function roleOf(url: string): Promise<string> {
  const client = new Valkey(url.replace("valkey:", "redis:"));
  const [role] = (await client.role()) as [string];
  client.disconnect();
  return role;
}

describe("a channel with history", () => {
  test("an append-only Valkey that is killed twice under load: what it kept reaches everybody once, and the rest is announced", async () => {
    const valkey = await startValkey({ persistence: true });
    const keylines = [stage.keyline({ valkey: valkey.url }), stage.keyline({ valkey: valkey.url }), stage.keyline({ valkey: valkey.url })];
    const key = `${stage.prefix}:{restart}:history`;
    const observers = await survive({ keylines, name: "restart", client: () => readKept(valkey.url, key) }, async () => {
      for (let times = 0; times < 2; times++) {
        await valkey.kill();
        await valkey.restart();
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    });
    for (const observer of observers) expect(observer.gaps).toContain("restarted");
    await Promise.all(keylines.map((keyline) => keyline.close()));
    await valkey.stop();
  }, 120_000);

  test("a Valkey without persistence that is killed, and FLUSHALL: the loss is announced to everybody", async () => {
    const valkey = await startValkey();
    const keylines = [stage.keyline({ valkey: valkey.url }), stage.keyline({ valkey: valkey.url })];
    const key = `${stage.prefix}:{empty}:history`;
    const observers = await survive({ keylines, name: "empty", client: () => readKept(valkey.url, key) }, async () => {
      await valkey.kill();
      await valkey.restart();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const client = new Valkey(valkey.port, valkey.host);
      await client.flushall();
      client.disconnect();
    });
    for (const observer of observers) expect(observer.gaps).toContain("lost");
    await Promise.all(keylines.map((keyline) => keyline.close()));
    await valkey.stop();
  }, 120_000);

  test("connections that are cut, stalled and served in pieces: nothing is missing, nothing comes twice, and no gap is announced", async () => {
    const proxy = await startWireProxy({ target: targetOf(inject("valkeyUrl")), seed });
    const viaProxy = { valkey: `valkey://127.0.0.1:${proxy.port}` };
    const keylines = [stage.keyline(viaProxy), stage.keyline()];
    const key = `${stage.prefix}:{wire}:history`;
    const observers = await survive({ keylines, name: "wire", client: () => readKept(inject("valkeyUrl"), key) }, async () => {
      proxy.sliceBytes(7);
      for (let times = 0; times < 4; times++) {
        proxy.cutAll();
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      proxy.stallAll();
      await eventually("the half-open connections were noticed", () => proxy.stalls > 2, 30_000);
      proxy.passAll();
    });
    for (const observer of observers) expect(observer.gaps).toEqual([]);
    await Promise.all(keylines.map((keyline) => keyline.close()));
    await proxy.stop();
  }, 120_000);

  test("a failover through sentinels: what the new primary has reaches everybody once, and the rest is announced", async () => {
    const sentinel = await startValkeySentinel();
    const valkey = { sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })), name: sentinel.name };
    const keylines = [stage.keyline({ valkey, prefix: "s" }), stage.keyline({ valkey, prefix: "s" })];
    const observers = await survive(
      { keylines, name: "failover", client: () => readKept(sentinel.replica.url, "s:{failover}:history") },
      () => sentinel.primary.kill(),
    );
    for (const observer of observers) expect(observer.gaps).toContain("restarted");
    await Promise.all(keylines.map((keyline) => keyline.close()));
    await sentinel.stop();
  }, 180_000);

  test("on a cluster: messages stay on their shard, and its failover loses nothing unannounced", async () => {
    const cluster = await startValkeyCluster();
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));
    const keylines = [
      stage.keyline({ valkey: { cluster: nodes }, prefix: "c" }),
      stage.keyline({ valkey: { cluster: nodes }, prefix: "c" }),
    ];
    const key = "c:{sharded}:history";
    const weather: string[] = [];
    const gaps: Gap["reason"][] = [];
    const [one, other] = keylines;
    const pattern = one
      ?.channels("weather.*")
      .subscribe((message) => void weather.push(message.channel), { onGap: (gap) => gaps.push(gap.reason) });
    await pattern?.ready;
    for (const city of ["oslo", "lima", "pune"]) await other?.channel(`weather.${city}`).publish({ degrees: 20 });
    await other?.channel("elsewhere").publish({ degrees: 20 });
    await eventually("the pattern's messages came", () => weather.length === 3);
    expect(weather.sort()).toEqual(["weather.lima", "weather.oslo", "weather.pune"]);
    const readFromCluster = async (): Promise<string[]> => {
      for (const node of cluster.nodes) {
        const kept = await readKept(node.url, key).catch(() => undefined);
        if (kept) return kept;
      }
      throw new Error("no node has the history");
    };
    await survive({ keylines, name: "sharded", client: readFromCluster }, async () => {
      for (const node of cluster.nodes) {
        const owns = await readKept(node.url, key).catch(() => undefined);
        if (owns && (await roleOf(node.url)) === "master") {
          await node.kill();
          return;
        }
      }
    });
    await pattern?.close();
    await Promise.all(keylines.map((keyline) => keyline.close()));
    await cluster.stop();
  }, 180_000);
});
