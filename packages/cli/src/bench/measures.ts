import { setTimeout as delay } from "node:timers/promises";
import type { Queue } from "keyline";
import type { Ground } from "./ground.ts";
import { countCalls, rate, spread, timeEach, type Measure } from "./measure.ts";

interface Settings {
  /** For each measure. */
  readonly seconds: number;
  readonly hasRecord: boolean;
  readonly signal: AbortSignal;
}

const inFlight = 100;
const batch = 100;
const payload = { orderId: 1, to: "ada@example.com" };

/** What an installation does, one measure after the other, from this process. */
export async function* measureAll(ground: Ground, { seconds, hasRecord, signal }: Settings): AsyncGenerator<Measure> {
  const { keyline } = ground;
  const steps: (() => AsyncIterable<Measure> | Iterable<Promise<Measure>>)[] = [
    () => [timeEach("Valkey: round trip", seconds, () => keyline.command("PING"))],
    () => queueMeasures(plainQueues(ground), { seconds, signal }),
    () => [publishing(ground, seconds)],
    () => [timeEach("stream: append", seconds, () => keyline.stream(ground.names.stream).append(payload))],
  ];
  if (hasRecord)
    steps.push(
      () => [roundTrips(ground, seconds)],
      () => queueMeasures(transactionalQueues(ground), { seconds, signal }),
    );
  for (const step of steps) {
    signal.throwIfAborted();
    yield* step();
  }
}

interface Queues {
  readonly kind: string;
  readonly working: string;
  /** The one that is filled and worked on. */
  readonly filled: Queue<unknown, unknown, boolean>;
  /** Another one, on which one job after the other goes its way. */
  readonly quick: Queue<unknown, unknown, boolean>;
  work(name: "filled" | "quick", handled: () => void): { stop(): Promise<void> };
}

function plainQueues({ keyline, names }: Ground): Queues {
  const [filled, quick] = [keyline.queue(names.plain), keyline.queue(names.plainQuick)];
  const work: Queues["work"] = (name, handled) => (name === "filled" ? filled : quick).work(handled, { concurrency: inFlight });
  return { kind: "plain queue", working: "work", filled, quick, work };
}

function transactionalQueues({ keyline, names }: Ground): Queues {
  const [filled, quick] = [names.recorded, names.recordedQuick].map((name) => keyline.queue(name, { transactional: true }));
  if (!filled || !quick) throw new Error("there are two names");
  const work: Queues["work"] = (name, handled) =>
    (name === "filled" ? filled : quick).work(
      async (_, { settle }) => {
        await settle(async (tx) => void (await tx.query("SELECT 1")));
        handled();
      },
      { concurrency: inFlight },
    );
  return { kind: "transactional queue", working: "work and settle", filled, quick, work };
}

/** Adding, then working on what was added, then one job after the other from its add to its end. What is left goes with the names. */
async function* queueMeasures(
  { kind, working, filled, quick, work }: Queues,
  { seconds, signal }: Pick<Settings, "seconds" | "signal">,
): AsyncGenerator<Measure> {
  const single = await countCalls(`${kind}: add`, { seconds, inFlight }, () => filled.add(payload));
  yield single;
  const jobs = Array.from({ length: batch }, () => ({ data: payload }));
  const many = await countCalls(`${kind}: addMany of ${batch}`, { seconds, inFlight: 4, each: batch }, () => filled.addMany(jobs));
  yield many;
  signal.throwIfAborted();
  yield await countHandled(`${kind}: ${working}`, { seconds, most: single.count + many.count }, (handled) => work("filled", handled));
  signal.throwIfAborted();
  let ended: (() => void) | undefined;
  const worker = work("quick", () => ended?.());
  try {
    yield await timeEach(`${kind}: from add to handled`, seconds, async () => {
      const end = Promise.withResolvers<void>();
      ended = end.resolve;
      await quick.add(payload);
      await end.promise;
    });
  } finally {
    await worker.stop();
  }
}

/** How many are handled in the time, or until there are no more. */
async function countHandled(
  measure: string,
  { seconds, most }: { readonly seconds: number; readonly most: number },
  work: (handled: () => void) => { stop(): Promise<void> },
): Promise<Measure> {
  let count = 0;
  let began = 0;
  // A worker that begins makes connections and looks around: the time runs from the first job on.
  const first = Promise.withResolvers<void>();
  const all = Promise.withResolvers<void>();
  const worker = work(() => {
    if (++count === 1) {
      began = performance.now();
      first.resolve();
    }
    if (count === most) all.resolve();
  });
  await first.promise;
  await Promise.race([all.promise, delay(seconds * 1_000)]);
  const measured = rate(measure, count, performance.now() - began);
  await worker.stop();
  return measured;
}

async function publishing({ keyline, names }: Ground, seconds: number): Promise<Measure> {
  const channel = keyline.channel<number>(names.channel);
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
