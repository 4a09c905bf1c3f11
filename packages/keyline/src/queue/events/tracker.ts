/*
 * DESIGN. While nobody listens nothing is told. Who begins to listen says so for a while (`tracked`), and renews that; workers hear of it by a signal. Of what is told to
 * those who follow events nothing may be missing unannounced, so it begins only when all workers know: each that has heard notes its name, and once all whose lease
 * goes on have done so, the scripts write. A worker that begins asks before it takes its first job. Where nobody listened for a while, or the memory of that was
 * lost, another period begins, which readers see as a gap.
 */
import { Alarm } from "../../runtime/alarm.ts";
import { performance } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, Notice } from "../../runtime/waiting.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { TrackedKind } from "../../valkey/queue/tracked.ts";

// A listener that dies costs the queue's workers their notices for as long as this.
const trackedMs = 30_000;
const renewMs = 10_000;
const againMs = 500;
const lookAgainMs = 5;

/** Says to workers and adders, for as long as somebody of this process listens, that what becomes of jobs is to be told. */
export class Tracker {
  readonly #store: QueueStore;
  readonly #leaseMs: number;
  readonly #logger: Logger;
  readonly #listeners = new Map<TrackedKind, number>();
  readonly #alarm = new Alarm(() => this.#renew(), { mayEnd: true });
  readonly #renewed = new Notice();
  readonly #stopping = new AbortController();
  #stopListening: (() => void) | undefined;
  #areEventsTold = false;

  constructor(store: QueueStore, { leaseMs, logger }: { readonly leaseMs: number; readonly logger: Logger }) {
    this.#store = store;
    this.#leaseMs = leaseMs;
    this.#logger = logger;
  }

  /** Until the returned function is called. */
  track(kind: TrackedKind): () => void {
    const count = this.#listeners.get(kind) ?? 0;
    this.#listeners.set(kind, count + 1);
    // What was lost with a server is said again.
    this.#stopListening ??= this.#store.connection.onReady(() => this.#alarm.set(0));
    if (count === 0) this.#alarm.set(0);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#listeners.set(kind, (this.#listeners.get(kind) ?? 1) - 1);
      if (kind === "events" && this.#listeners.get(kind) === 0) this.#areEventsTold = false;
    };
  }

  /** Resolves when events are told to those who follow them, or `signal` is aborted. */
  async whenTold(signal: AbortSignal): Promise<void> {
    while (!this.#areEventsTold && !signal.aborted) await this.#renewed.wait(undefined, signal);
  }

  stop(): Promise<void> {
    this.#listeners.clear();
    this.#stopping.abort();
    this.#stopListening?.();
    return this.#alarm.stop();
  }

  async #renew(): Promise<void> {
    const kinds = [...this.#listeners].flatMap(([kind, count]) => (count > 0 ? [kind] : []));
    if (kinds.length === 0) return;
    try {
      for (const kind of kinds) {
        const isKnown = await this.#store.tracked.track(kind, trackedMs);
        if (kind !== "events") continue;
        if (!isKnown) await this.#untilKnown();
        this.#areEventsTold = true;
      }
      this.#alarm.set(renewMs);
      this.#renewed.notify();
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "it could not be said that somebody listens; it is tried again");
      this.#alarm.set(againMs);
    }
  }

  async #untilKnown(): Promise<void> {
    const deadline = performance.now() + this.#leaseMs + 1_000;
    while (!(await this.#store.tracked.ready(false))) {
      if (this.#stopping.signal.aborted) return;
      if (performance.now() > deadline) {
        this.#logger.warn({}, "a worker does not answer: what it does may not be told to those who follow events");
        await this.#store.tracked.ready(true);
        return;
      }
      await delay(lookAgainMs, this.#stopping.signal);
    }
  }
}
