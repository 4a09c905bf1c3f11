/*
 * DESIGN. A sleep, or a wait for a signal, ends the attempt and frees its worker. What it waits for is in the job's row: PostgreSQL first, then Valkey, as with a retry.
 *
 * - Looking whether the wait is over and parking the job are one step under the lock of its row (`keyline.park`), and so are keeping a signal and waking who waits for it
 *   (`keyline.signal_job`): whichever comes first, the signal is found or wakes.
 * - The element of a parked job is on the schedule until its wait is over. It is made of the row, so that whoever wakes the job knows its text and takes it off again. That of a job
 *   that waits for a signal rests a day at the most, and is put back.
 * - Each parking and each waking counts in the row (`parks`). An element that was made before the last of them is dropped when it is taken, does no step and is not retried; and a delivery is only noted
 *   for the state in which it was made. So the row's present state is delivered, by whoever made it or by the relay, whoever dies in between:
 *   the worker before the element is on the schedule, or whoever signals before the job is awake.
 */
import { isOutage } from "../../postgres/client/failures.ts";
import type { ParkAnswer, ParkedRows, Wait } from "../../postgres/job/parked-rows.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import { parseJson } from "../../runtime/json.ts";
import { checkOptionNames } from "../../runtime/options.ts";
import { JobCancelledError } from "../results/job-errors.ts";
import { committedRow } from "../add/committed.ts";
import { longestWaitMs } from "../../work/outcome.ts";
import { Parked, type Pausing } from "./parked.ts";
import { notHeld, otherKind, tooMany } from "./step-names.ts";
import type { Steps, StepsParts } from "./steps.ts";

/** The sleeps of one run of a handler, and its waits for signals. */
const signalledNames = new Set(["timeout"]);

export class Pauses<Data> implements Omit<Pausing, "family"> {
  readonly #parts: StepsParts<Data>;
  readonly #steps: Steps<Data>;

  constructor(parts: StepsParts<Data>, steps: Steps<Data>) {
    this.#parts = parts;
    this.#steps = steps;
  }

  async sleep(name: string, ms: number): Promise<void> {
    const wait: Wait = { why: "sleep", name, ms: checkMs("The length of a sleep", ms) };
    await this.#steps.inTurn("sleep", name, () => this.#wait(wait));
  }

  async signalled(name: string, options: { readonly timeout?: number }): Promise<unknown> {
    checkOptionNames("signalled", options, signalledNames);
    const { timeout } = options;
    const ms = timeout === undefined ? undefined : checkMs("timeout", timeout);
    return this.#steps.inTurn("signal", name, () => this.#wait({ why: "signal", name, ms }));
  }

  async #wait(wait: Wait): Promise<unknown> {
    const { job } = this.#parts;
    const { why, name } = wait;
    const known = this.#steps.remembered(name);
    if (known && known.kind !== why) throw otherKind(job, [why, name]);
    const { answer, value } = known ? { answer: known.outcome, value: known.value } : await this.#park(wait);
    switch (answer) {
      case "done":
        return value === null ? undefined : parseJson(value);
      case "timeout":
        throw new KeylineError("TIMEOUT", `Job ${job.id} of queue ${job.queue} got no signal ${JSON.stringify(name)} in time`);
      case "other":
        throw otherKind(job, [why, name]);
      case "full":
        throw tooMany(job, [why, name]);
      case "lost":
        throw (await this.#parts.isCancelled()) ? new JobCancelledError(job) : notHeld(job);
      case "parked":
        throw await this.parked(
          why === "sleep" ? `Job ${job.id} sleeps (${name})` : `Job ${job.id} waits for its signal ${JSON.stringify(name)}`,
        );
    }
  }

  /** Ends the attempt of a job whose row says that it is parked. */
  async parked(what: string): Promise<Parked> {
    const parks = (this.#parts.held.element?.parks ?? 0) + 1;
    const delayMs = await this.#keepElement(this.#parts.record.parked, parks);
    return this.#steps.end(new Parked(what, delayMs));
  }

  async #park(wait: Wait): Promise<ParkAnswer> {
    const { held, job, record } = this.#parts;
    await this.#parts.checkHeld();
    const { row } = held;
    if (!row) throw notHeld(job);
    const tag = randomTag(12);
    return this.#insist(() => record.parked.park(row, wait, tag));
  }

  /** Gets the next element of the parked job ready for its worker. Returns for how long it rests. */
  async #keepElement(rows: ParkedRows, parks: number): Promise<number> {
    const { held, job } = this.#parts;
    const row = await this.#insist(() => rows.read(job.id, parks));
    held.isOutdated = row === undefined;
    held.parked = row ? { element: committedRow(row).element, delayMs: row.delay, parks } : "woken";
    return row?.delay ?? 0;
  }

  async #insist<Result>(work: () => Promise<Result>): Promise<Result> {
    const { job, record } = this.#parts;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isOutage(error) || job.signal.aborted || record.table.database.isClosing) throw error;
        await record.table.database.whenAvailable(job.signal);
      }
    }
  }
}

function checkMs(option: string, ms: number): number {
  if (typeof ms === "number" && ms >= 0 && ms <= longestWaitMs) return Math.ceil(ms);
  throw new KeylineError("INVALID_OPTION", `${option} must be milliseconds from 0 to ${longestWaitMs} (ten years), not ${String(ms)}`);
}
