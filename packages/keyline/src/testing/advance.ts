/*
 * DESIGN. Time passes by moving what waits, not the clock: the servers' clocks and the process's go on as they are, and so do leases and time limits. What is due later is made due that much
 * earlier, in both stores. Only schedules cannot be moved, as what a cron says depends on the time of the day: their book is told that it is later (queue/schedules/ahead-book.ts).
 * Time goes from one tick to the next, so that each is made when it is due, and no tick is missed that a worker would have made.
 */
import type { Insides } from "../insides.ts";
import { passTime as passTimeInDatabase } from "../postgres/client/pass-time.ts";
import type { QueueParts } from "../queue/queue-parts.ts";
import { dueAt } from "../queue/schedules/schedule-state.ts";
import { graceMs } from "../queue/schedules/ticker.ts";
import { passTime as passTimeOfQueue } from "../valkey/queue/pass-time.ts";
import { passTime as passTimeOfStream } from "../valkey/stream/pass-time.ts";
import { bringDue, partsOf } from "./due.ts";
import type { TestRehearsal } from "./test-rehearsal.ts";

// Ticks that are late by no more than the grace are all made: where they are many they go together.
const shortestStepMs = graceMs / 2;

/** See `TestKeyline.advance`. */
export async function advance(insides: Insides, rehearsal: TestRehearsal, ms: number): Promise<void> {
  const working = rehearsal.queues;
  const parts = partsOf(insides, working);
  await bringDue(insides, working);
  for (let left = ms; left > 0;) {
    const waits = await Promise.all(parts.map(nextTickMs));
    const step = Math.min(left, Math.max(shortestStepMs, Math.min(...waits)));
    await pass(insides, rehearsal, step);
    await bringDue(insides, working);
    left -= step;
  }
  // Their tickers sleep until a tick that comes earlier now.
  await Promise.all(parts.map(({ store }) => store.signals.tell("ticks")));
}

async function pass({ queues, streams, commands, database }: Insides, rehearsal: TestRehearsal, ms: number): Promise<void> {
  // Rows first: a job whose element is due is looked up there.
  if (database) await passTimeInDatabase(database, ms);
  await commands.ensureReady(5_000);
  await Promise.all([...queues.parts.values()].map(({ store }) => passTimeOfQueue(store, ms)));
  await Promise.all([...streams.keys.values()].map((keys) => passTimeOfStream(commands, keys, ms)));
  // Last: a ticker that looks meanwhile must not tick before what is due earlier.
  rehearsal.aheadMs += ms;
}

/** Infinity where there is none. */
async function nextTickMs({ scheduleBook }: QueueParts): Promise<number> {
  const { now } = await scheduleBook.due();
  let next = Infinity;
  const read = scheduleBook.pages();
  for (let states = await read(); states; states = await read()) {
    for (const state of states) next = Math.min(next, dueAt(state) ?? Infinity);
  }
  return next - now;
}
