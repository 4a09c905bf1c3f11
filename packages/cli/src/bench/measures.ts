import type { Queue } from "keyline";
import type { Ground } from "./ground.ts";
import { countCalls, rate, spread, timeEach, type Measure } from "./measure.ts";

interface Settings {
  /** For each measure. */
  readonly seconds: number;
  readonly hasRecord: boolean;
  readonly signal: AbortSignal;
}

type Work = (job: { readonly id: string }) => unknown;

const inFlight = 100;
const batch = 100;
const payload = { orderId: 1, to: "ada@example.com" };

/** What an installation does, one measure after the other, from this process. */
export async function* measureAll(ground: Ground, { seconds, hasRecord, signal }: Settings): AsyncGenerator<Measure> {
  const { keyline } = ground;
  const steps: (() => Promise<Measure> | AsyncGenerator<Measure>)[] = [
    () => timeEach("Valkey: round trip", seconds, () => keyline.command("PING")),
    () =>
      queueMeasures("plain queue", keyline.queue(ground.queue), {
        seconds,
        signal,
        work: (seen) => keyline.queue(ground.queue).work(seen, { concurrency: inFlight }),
      }),
    () => publishing(ground, seconds),
    () => timeEach("stream: append", seconds, () => keyline.stream(ground.stream).append(payload)),
  ];
  if (hasRecord) {
    const recorded = (): Queue<unknown, unknown, true> => keyline.queue(ground.transactionalQueue, { transactional: true });
    steps.push(
      () => roundTrips(ground, seconds),
      () =>
        queueMeasures("transactional queue", recorded(), {
          seconds,
          signal,
          work: (seen) =>
            recorded().work((job, { settle }) => settle(async (tx) => void (await tx.query("SELECT 1"))).then(() => seen(job)), {
              concurrency: inFlight,
            }),
        }),
    );
  }
  for (const step of steps) {
    signal.throwIfAborted();
    const measured = step();
    if (measured instanceof Promise) yield await measured;
    else yield* measured;
  }
}

interface QueueSettings {
  readonly seconds: number;
  readonly signal: AbortSignal;
  work(seen: Work): { stop(): Promise<void> };
}

/** Adding, then working off what was added, then one job after the other from its add to its end. */
async function* queueMeasures(
  name: string,
  queue: Queue<unknown, unknown, boolean>,
  { seconds, signal, work }: QueueSettings,
): AsyncGenerator<Measure> {
  const single = await countCalls(`${name}: add`, { seconds, inFlight }, () => queue.add(payload));
  yield single;
  const jobs = Array.from({ length: batch }, () => ({ data: payload }));
  const many = await countCalls(`${name}: addMany of ${batch}`, { seconds, inFlight: 4, each: batch }, () => queue.addMany(jobs));
  yield many;
  signal.throwIfAborted();
  let left = single.count + many.count;
  let ended: (() => void) | undefined;
  const began = performance.now();
  const drained = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => drained.reject(signal.reason as Error), { once: true });
  const worker = work(() => {
    if (--left === 0) drained.resolve();
    ended?.();
  });
  try {
    await drained.promise;
    yield rate(`${name}: work${name.startsWith("t") ? " and settle" : ""}`, single.count + many.count, performance.now() - began);
    const once = async (): Promise<void> => {
      const end = Promise.withResolvers<void>();
      ended = end.resolve;
      await queue.add(payload);
      await end.promise;
    };
    yield await timeEach(`${name}: from add to handled`, seconds, once);
  } finally {
    await worker.stop();
  }
}

async function publishing({ keyline, channel: name }: Ground, seconds: number): Promise<Measure> {
  const channel = keyline.channel<number>(name);
  let arrived: (() => void) | undefined;
  const subscription = channel.subscribe(() => arrived?.());
  await subscription.ready;
  const measured = await timeEach("channel: from publish to received", seconds, async () => {
    const arrival = Promise.withResolvers<void>();
    arrived = arrival.resolve;
    await channel.publish(1);
    await arrival.promise;
  });
  await subscription.close();
  return measured;
}

async function roundTrips({ keyline }: Ground, seconds: number): Promise<Measure> {
  const took: number[] = [];
  await keyline.transaction(async (tx) => {
    const end = performance.now() + seconds * 1_000;
    do {
      const began = performance.now();
      await tx.query("SELECT 1");
      took.push(performance.now() - began);
    } while (performance.now() < end);
  });
  return spread("PostgreSQL: round trip", took);
}
