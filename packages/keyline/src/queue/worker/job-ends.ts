import { isConnectionError } from "../../valkey/client/connection.ts";
import type { HeldPlace } from "../../valkey/queue/holding.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Doubt } from "../../work/doubt.ts";
import type { Pump } from "../../work/pump.ts";
import type { ExchangeEvents } from "../../work/shift-parts.ts";
import type { Disposal } from "./disposal.ts";
import type { HeldJob, HeldJobs } from "./held-jobs.ts";
import type { QueuePolicy } from "../options.ts";
import type { Command, Reconciler } from "./reconciler.ts";
import type { GateMemory } from "./gate-memory.ts";
import { JobCancelledError } from "../results/job-errors.ts";
import { groupTieOf, type Ties } from "./ties.ts";
import { turnOf } from "./turns.ts";

type LoneDisposal = Exclude<Disposal, { kind: "settle" }>;

export interface JobEndsParts<Data> {
  readonly store: QueueStore;
  readonly policy: QueuePolicy;
  readonly ties: Ties;
  readonly held: HeldJobs<Data>;
  readonly pump: Pump;
  readonly doubt: Doubt<HeldJob<Data>, Command>;
  readonly reconciler: Reconciler<Data>;
  readonly gates: GateMemory;
  readonly events: ExchangeEvents<HeldJob<Data>>;
  /** Hands it in again, later. */
  again(job: HeldJob<Data>, disposal: LoneDisposal): void;
}

/** Hands in jobs that ended otherwise than well: each with a command of its own. */
export class JobEnds<Data> {
  readonly #parts: JobEndsParts<Data>;

  constructor(parts: JobEndsParts<Data>) {
    this.#parts = parts;
  }

  send(worker: string, job: HeldJob<Data>, disposal: LoneDisposal): void {
    const { held, pump, doubt, reconciler, events } = this.#parts;
    const [place] = held.leave([job]).places;
    if (!place) return;
    pump.send(this.#command(worker, place, { job, disposal }), {
      places: 0,
      answered: (isEnded) => {
        doubt.noteEnd(job);
        doubt.noteSuccess("end");
        if (isEnded && disposal.kind === "retry") disposal.noteScheduled?.();
        if (isEnded) events.ended(job);
        else events.missed(job);
      },
      failed: (error) => {
        if (isConnectionError(error)) {
          reconciler.doubtEnd(job, disposal);
          doubt.noteFailure("end", error, { isExpected: true });
        } else {
          held.rejoin(job, place.place);
          doubt.postpone(job, error, () => this.#parts.again(job, disposal));
        }
      },
    });
  }

  /** Puts jobs that have not begun back at the head of the queue. Whatever is still held afterwards is found when the list is read. */
  giveBack(worker: string, jobs: readonly HeldJob<Data>[]): void {
    const { store, held, pump, doubt } = this.#parts;
    pump.send(store.holding.giveBack(worker, held.leaveEach(jobs)), {
      places: 0,
      answered: () => doubt.noteSuccess("return"),
      failed: (error) => doubt.noteFailure("return", error, { isExpected: isConnectionError(error) }),
    });
  }

  #command(
    worker: string,
    place: HeldPlace,
    { job, disposal }: { readonly job: HeldJob<Data>; readonly disposal: LoneDisposal },
  ): Promise<boolean> {
    const { store, policy, ties } = this.#parts;
    switch (disposal.kind) {
      case "retry":
        return this.#retry(worker, place, { job, disposal });
      case "park":
        return this.#park(worker, place, { job, disposal });
      case "yield":
        return store.holding.yieldTurn(worker, place, turnOf(job));
      case "bury":
        return store.holding.bury(worker, place, { letter: disposal.letter, kept: policy.deadLetters, ties: ties.of(job) });
    }
  }

  async #park(
    worker: string,
    place: HeldPlace,
    { job, disposal }: { readonly job: HeldJob<Data>; readonly disposal: LoneDisposal & { readonly kind: "park" } },
  ): Promise<boolean> {
    const { store, ties } = this.#parts;
    const told = ties.retried(job, disposal.delayMs);
    return follow(job, await store.holding.park(worker, place, { ...disposal, told }));
  }

  async #retry(
    worker: string,
    place: HeldPlace,
    { job, disposal }: { readonly job: HeldJob<Data>; readonly disposal: LoneDisposal & { readonly kind: "retry" } },
  ): Promise<boolean> {
    const { store, gates, ties } = this.#parts;
    const group = job.element && groupTieOf(job.element);
    const came = await store.holding.retry(worker, place, {
      ...disposal,
      group,
      isGated: gates.isGated,
      told: ties.retried(job, disposal.delayMs),
    });
    return follow(job, came);
  }
}

/** Returns whether the worker held it. */
function follow(job: HeldJob<unknown>, came: "done" | "missing" | "cancelled"): boolean {
  // It was cancelled, and this worker had not heard of it.
  if (came === "cancelled" && job.attempt) job.verdict = { kind: "drop", error: new JobCancelledError(job.attempt) };
  return came !== "missing";
}
