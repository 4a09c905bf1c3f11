import { startValkey } from "@keyline/embedded";
import type { Keyline, Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { N } from "../../support/effects-stage.ts";
import { seeded } from "../../support/processes.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, type WireProxy } from "../../support/wire-proxy.ts";

let stage: Stage;
let proxy: WireProxy;
beforeAll(async () => {
  stage = await openStage();
  proxy = await startWireProxy({ target: targetOf(stage.valkeyUrl) });
});
afterAll(async () => {
  await stage.close();
  await proxy.stop();
});

const rules = { maxAttempts: 50, lease: 1_000, backoff: { type: "fixed", delay: 10, jitter: 0 } } as const;

const family = (queue: Queue<N>, count: number): { queue: Queue<N>; data: N }[] =>
  Array.from({ length: count }, (_, n) => ({ queue, data: { n } }));

async function areQuiet(...queues: Queue<N>[]): Promise<boolean> {
  const counts = await Promise.all(queues.map((queue) => queue.counts()));
  return counts.every(({ waiting, running, scheduled, parked }) => waiting + running + scheduled + parked === 0);
}

/** A Keyline whose answers from Valkey get lost now and then. */
const lossy = (): Keyline => stage.keyline({ valkey: `valkey://127.0.0.1:${proxy.port}` });

test("answers that get lost at random: each parent runs behind all its children, and no child is added twice", async () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = seeded(seed);
  const here = stage.keyline();
  const [parents, children] = [here.queue<N>("lost-parents", rules), here.queue<N>("lost-children", rules)];
  const through = lossy();
  const [above, below] = [through.queue<N>("lost-parents", rules), through.queue<N>("lost-children", rules)];
  const counts = new Map<number, number>();
  const runs = new Map<string, number>();
  const workers = [
    above.work(
      async (job) => {
        let count = 0;
        for await (const { outcome } of job.children()) if (outcome === "completed") count++;
        counts.set(job.data.n, count);
      },
      { concurrency: 3 },
    ),
    below.work((job) => void runs.set(job.id, (runs.get(job.id) ?? 0) + 1), { concurrency: 5 }),
  ];
  proxy.swallowReply((bytes) => bytes.toString("latin1").includes("evalsha") && random() < 0.05, { times: 1_000_000 });
  // One that got no answer may be there.
  const told: number[] = [];
  for (let n = 0; n < 300 && (n < 15 || proxy.swallowed < 10); n++) {
    await above.add({ n }, { children: family(below, 12) }).then(
      () => told.push(n),
      () => undefined,
    );
  }
  await eventually("nothing waits any more", () => areQuiet(parents, children), 60_000);
  expect(proxy.swallowed, `seed ${seed}`).toBeGreaterThan(3);
  proxy.passAll();
  for (const n of told) expect(counts.get(n), `family ${n}, seed ${seed}`).toBe(12);
  expect([...counts.values()].every((count) => count === 12)).toBe(true);
  // A handler that had ended may have had no answer, and its job another attempt: but no child is there as two jobs.
  expect(runs.size).toBe(counts.size * 12);
  await Promise.all(workers.map((worker) => worker.stop()));
}, 120_000);

test("a family that is there goes on while Valkey has no memory left, and none is added", async () => {
  const valkey = await startValkey();
  const own = await openStage({ valkeyUrl: valkey.url });
  const keyline = own.keyline();
  const [parents, children] = [keyline.queue<N>("full-parents", rules), keyline.queue<N>("full-children", rules)];
  const nested = { queue: children, data: { n: 100 }, options: { children: family(children, 5) } };
  await parents.add({ n: 0 }, { children: [...family(children, 20), nested] });
  await own.valkey.config("SET", "maxmemory", "1");
  const ended = Promise.withResolvers<unknown[]>();
  const workers = [
    parents.work(async (job) => {
      const outcomes: unknown[] = [];
      for await (const { outcome } of job.children()) outcomes.push(outcome);
      ended.resolve(outcomes);
    }),
    children.work(() => undefined, { concurrency: 3 }),
  ];
  expect(await ended.promise).toEqual(Array.from({ length: 21 }, () => "completed"));
  await expect(parents.add({ n: 1 }, { children: family(children, 1) })).rejects.toThrow(/OOM|memory/);
  await own.valkey.config("SET", "maxmemory", "0");
  await Promise.all(workers.map((worker) => worker.stop()));
  await own.close();
  await valkey.stop();
}, 60_000);
