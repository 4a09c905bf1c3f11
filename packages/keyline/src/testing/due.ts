import type { Insides } from "../insides.ts";
import type { QueueParts } from "../queue/queue-parts.ts";
import { Ticker } from "../queue/schedules/ticker.ts";

const page = 100;

/**
 * Brings to the queues that have a worker what is due: ticks of schedules, what was added and committed, and jobs whose time has come, each by what does it in production. Whatever
 * the duties of the workers do meanwhile does no harm: each step is done once, whoever does it.
 */
export async function bringDue({ queues, streams }: Insides, working: ReadonlySet<string>): Promise<void> {
  const parts = partsOf({ queues }, working);
  await Promise.all(parts.map(promoteAll));
  await Promise.all(parts.map(makeTicks));
  await Promise.all([queues.delivered(), streams.delivered()]);
  await Promise.all(parts.map(promoteAll));
}

async function makeTicks({ scheduleBook, listening, logger }: QueueParts): Promise<void> {
  await new Ticker(scheduleBook, { logger, noteAdded: (jobs) => listening.tally.noteAdded(jobs) }).makeAll();
}

/** Of the queues of these names that this Keyline knows. */
export function partsOf({ queues }: Pick<Insides, "queues">, names: ReadonlySet<string>): readonly QueueParts[] {
  return [...names].flatMap((name) => queues.parts.get(name) ?? []);
}

async function promoteAll({ store }: QueueParts): Promise<void> {
  await store.connection.ensureReady(5_000);
  while ((await store.schedule.promote(page)) === 0);
}
