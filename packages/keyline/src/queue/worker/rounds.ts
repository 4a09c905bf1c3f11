import { isConnectionError } from "../../valkey/client/connection.ts";
import type { Gate, SettleReply } from "../../valkey/queue/settle-reply.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { Doubt } from "../../work/doubt.ts";
import type { Lease } from "../../work/lease.ts";
import type { Pump } from "../../work/pump.ts";
import type { ExchangeEvents } from "../../work/shift-parts.ts";
import type { Disposal } from "./disposal.ts";
import type { GateMemory } from "./gate-memory.ts";
import type { HeldJob, HeldJobs } from "./held-jobs.ts";
import type { Command, Reconciler } from "./reconciler.ts";
import type { Ties } from "./ties.ts";

export interface RoundsParts<Data> {
  readonly store: QueueStore;
  readonly lease: Lease<Beat>;
  readonly held: HeldJobs<Data>;
  readonly pump: Pump;
  readonly doubt: Doubt<HeldJob<Data>, Command>;
  readonly reconciler: Reconciler<Data>;
  readonly gates: GateMemory;
  readonly ties: Ties;
  readonly events: ExchangeEvents<HeldJob<Data>>;
  /** `isLetThrough`: the gates were looked at, and these count as running. */
  taken(elements: readonly string[], isLetThrough: boolean): void;
  /** A take brought so many fewer than it asked for. */
  fewerTaken(missing: number, gate: Gate | undefined): void;
}

const settled: Disposal = { kind: "settle" };

/** The round trips of a worker while there are jobs: each hands in what has ended well, and takes as many as there is room for. */
export class Rounds<Data> {
  readonly #parts: RoundsParts<Data>;

  constructor(parts: RoundsParts<Data>) {
    this.#parts = parts;
  }

  send(finished: readonly HeldJob<Data>[], take: number): void {
    const { store, lease, held, pump, doubt, reconciler, gates, ties } = this.#parts;
    const { places, areOldest } = held.leave(finished);
    gates.noteLook();
    const what = { finished: finished.length, take, areOldest, ties: ties.ofAll(finished), isGated: gates.isGated };
    pump.send(store.holding.settleAndTake(lease.name, places, what), {
      places: take,
      answered: (reply) => {
        if (finished.length > 0) doubt.noteSuccess("settle");
        if (take > 0) doubt.noteSuccess("take");
        this.#follow(reply, finished, take);
      },
      failed: (error) => {
        for (const job of finished) reconciler.doubtEnd(job, settled);
        doubt.noteFailure(finished.length > 0 ? "settle" : "take", error, { isExpected: isConnectionError(error) });
      },
    });
  }

  #follow(reply: SettleReply, finished: readonly HeldJob<Data>[], take: number): void {
    const { events, lease, reconciler, doubt, gates } = this.#parts;
    if (reply === "lost") {
      for (const job of finished) events.missed(job);
      lease.lose();
    } else if (reply === "moved") {
      for (const job of finished) reconciler.doubtEnd(job, settled);
      doubt.raise();
    } else {
      this.#noteEnds(finished, reply.missing);
      if (reply.gate && (take > 0 || reply.gate.state === "plain")) gates.note(reply.gate);
      if (reply.taken.length > 0) this.#parts.taken(reply.taken, reply.gate !== undefined);
      if (take > 0) this.#parts.fewerTaken(take - reply.taken.length, reply.gate);
    }
  }

  #noteEnds(finished: readonly HeldJob<Data>[], missing: readonly number[]): void {
    const { events } = this.#parts;
    if (missing.length === 0) {
      for (const job of finished) events.ended(job);
      return;
    }
    const missed = new Set(missing);
    finished.forEach((job, index) => (missed.has(index) ? events.missed(job) : events.ended(job)));
  }
}
