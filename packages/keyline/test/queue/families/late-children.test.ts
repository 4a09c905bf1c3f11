import { Discard, type Job, type Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { N } from "../../support/effects-stage.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";
import { startWireProxy, targetOf, through, type WireProxy } from "../../support/wire-proxy.ts";

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

const family = (queue: Queue<N>, count: number): { queue: Queue<N>; data: N }[] =>
  Array.from({ length: count }, (_, n) => ({ queue, data: { n } }));

/** What there is of families on Valkey, but for what is known of children for a few minutes. */
async function leftOf({ name }: Queue<N>): Promise<string[]> {
  const keys = await stage.valkey.keys(`${stage.prefix}:{${name}}:famil*`);
  const looked = await stage.valkey.zrange(`${stage.prefix}:{${name}}:families`, 0, -1);
  return [...keys.filter((key) => !/family-(children:|owed:|owing)/.test(key)), ...looked].toSorted();
}

test.each([
  { how: "is completed", end: () => undefined },
  { how: "is to be tried again", end: () => Promise.reject(new Error("again")) },
  { how: "is dead", end: () => Promise.reject(new Discard("over")) },
])("children that come when their job $how are refused, and leave nothing", async ({ how, end }) => {
  const name = how.replaceAll(" ", "-");
  const rules = { backoff: { type: "fixed", delay: 600_000, jitter: 0 } } as const;
  const keyline = stage.keyline({ valkey: through(stage.valkeyUrl, proxy) });
  const [parents, children] = [keyline.queue<N>(name, rules), keyline.queue<N>(`below-${name}`)];
  const [here, below] = [stage.keyline().queue<N>(name, rules), stage.keyline().queue<N>(`below-${name}`)];
  const late = Promise.withResolvers<unknown>();
  const returned: number[] = [];
  const worker = parents.work(async (job) => {
    const { n } = job.data;
    if (n === 0) {
      // So that the server knows all scripts: in the second run nothing is asked for twice.
      await job.addChildren(family(children, 1), { name: "split" });
    } else {
      proxy.starveAll(true);
      job.addChildren(family(children, 1), { name: "split" }).then(late.resolve, late.resolve);
      const isReady = async (): Promise<boolean> => (await leftOf(here)).length > before.length;
      await eventually("the children are ready to be added", isReady);
    }
    returned.push(n);
    return end();
  });
  const hasEnded = async (n: number): Promise<boolean> => returned.includes(n) && (await here.counts()).running === 0;
  const ran: string[] = [];
  const belowWorker = below.work((job) => void ran.push(job.id));
  await here.add({ n: 0 });
  await eventually("the first has ended, and its child", async () => ran.length === 1 && (await hasEnded(0)));
  const before = await leftOf(here);
  await here.add({ n: 1 });
  await eventually("the second has ended", () => hasEnded(1));
  proxy.starveAll(false);
  expect(await late.promise).toMatchObject({ code: "LEASE_LOST" });
  expect(await leftOf(here)).toEqual(before);
  await Promise.all([worker.stop(), belowWorker.stop()]);
  expect(ran).toHaveLength(1);
});

test("nothing is left of the family of a job that was given back, and then adds no children", async () => {
  const keyline = stage.keyline();
  const [parents, children] = [keyline.queue<N>("given-back"), keyline.queue<N>("given-back-below")];
  const [added, over] = [gate(), gate()];
  const first = parents.work(async (job: Job<N>) => {
    await job.addChildren(family(children, 2), { name: "split" });
    added.open();
    await over.opened;
  });
  const { id } = await parents.add({ n: 0 }, { keepResult: 60_000 });
  await added.opened;
  await first.stop({ timeout: 0 });
  over.open();
  const attempts: number[] = [];
  const second = parents.work((job) => void attempts.push(job.attempt));
  await parents.waitFor(id);
  const below = children.work(() => undefined);
  await eventually("the children have ended", async () => (await children.counts()).waiting === 0);
  expect(attempts).toEqual([1]);
  await eventually("nothing is left of it", async () => (await leftOf(parents)).length === 0);
  await Promise.all([second.stop(), below.stop()]);
});
