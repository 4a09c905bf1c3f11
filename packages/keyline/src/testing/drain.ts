/*
 * DESIGN. How a drain knows that everything due has run. It goes in rounds. In each
 *
 *   1. what is due is brought to the queues: due.ts;
 *   2. all workers and consumers look for work, and run it, until each has looked and found nothing more, with nothing running, and nothing under way to
 *      a server, of all of them at once;
 *   3. if nothing began or ended since the round began, they are told to take no more. Waits of theirs that could still take something are ended.
 *
 * A round in which nothing began or ended, to the end of 3, is the last one: nothing ran that could have added anything, and what was there when it began was
 * looked for after it was brought. What handlers add without waiting for it is waited for in 1. Nothing is waited for by the clock, but for rows that only the
 * relay finds, which it looks at twice, and for jobs that came before their turn, which rest for a moment.
 */
import type { Insides } from "../insides.ts";
import { KeylineError } from "../runtime/errors.ts";
import { delay } from "../runtime/waiting.ts";
import { bringDue } from "./due.ts";
import type { Ran } from "./ran.ts";
import type { TestRehearsal } from "./test-rehearsal.ts";

export interface DrainOptions {
  /** Gives up after so many milliseconds, with NOT_DRAINED. Default: it does not. */
  readonly timeout?: number;
  /** Gives up when so many attempts have begun, with NOT_DRAINED: a job may add itself again for ever. Default 10,000. */
  readonly limit?: number;
}

/** See `TestKeyline.drain`. */
export async function drain(insides: Insides, rehearsal: TestRehearsal, { timeout, limit = 10_000 }: DrainOptions): Promise<Ran[]> {
  const giveUp = new AbortController();
  const signal = timeout === undefined ? giveUp.signal : AbortSignal.any([giveUp.signal, AbortSignal.timeout(timeout)]);
  let begun = 0;
  rehearsal.onBegun = () => void (++begun > limit && giveUp.abort());
  try {
    while (!(await round(insides, rehearsal, signal)));
  } finally {
    rehearsal.onBegun = undefined;
    if (signal.aborted) await rehearsal.close(signal);
  }
  if (!signal.aborted) return rehearsal.takeRan();
  const running = rehearsal.held;
  const why = giveUp.signal.aborted ? `more than ${limit} attempts have begun` : `it took longer than ${timeout} ms`;
  const what = running.length > 0 ? `${running.slice(0, 5).join(", ")} ran` : "nothing ran";
  throw new KeylineError(
    "NOT_DRAINED",
    `What is due did not come to an end: ${why}. At that moment ${what}; did a handler add its own job again, or hang?`,
  );
}

/** Returns whether it was the last one. */
async function round(insides: Insides, rehearsal: TestRehearsal, signal: AbortSignal): Promise<boolean> {
  const { moves } = rehearsal;
  const isStill = (): boolean => rehearsal.moves === moves;
  await bringDue(insides, rehearsal.queues);
  rehearsal.open();
  await rehearsal.runDry(signal);
  if (isStill()) await rehearsal.close(signal);
  if (signal.aborted) return true;
  const restMs = rehearsal.takeRest();
  if (restMs > 0) await delay(restMs, signal);
  return isStill() && restMs === 0;
}
