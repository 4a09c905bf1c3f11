/*
 * DESIGN. The relay brings committed jobs to Valkey that nobody else brings there:
 *
 * 1. Jobs that were never delivered: their producer died between COMMIT and push, Valkey was away, or the transaction was
 *    somebody else's and its end was not seen. They are the rows with no epoch. A row is delivered when it was seen so
 *    twice, some time apart: its producer may be about to push it or to note the push. Never "everything above the last
 *    id": ids are given before COMMIT, so a transaction that commits late would be passed over.
 * 2. Jobs that were delivered to a memory of Valkey that is gone: see job-rebuild.ts. The relay only notices the new epoch, and that the one which was rebuilt here is not in charge any
 *    more: a process that is cut off may have put that in charge which it sees.
 *
 * Of jobs that were added together it finds one row for all (joint-notes.ts). Where that stays, it leaves them to itself.
 *
 * It claims rows under a lock, pushes them and notes the epoch in one short transaction. If it dies in between, the rows are
 * as they were and are pushed once more; the settle drops the second copy. Two relays never push the same row at the
 * same time: each skips what the other has locked.
 */
import { performance } from "../../runtime/clock.ts";
import { Alarm } from "../../runtime/alarm.ts";
import type { Duty } from "../../runtime/duty.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Database } from "../client/database.ts";
import { Setbacks } from "../../runtime/setbacks.ts";
import { Notice, retryDelay } from "../../runtime/waiting.ts";
import { deliverClaimed } from "./claimed-delivery.ts";
import { findUndelivered } from "./job-table.ts";
import { LateDeliveries } from "./late-deliveries.ts";
import type { Outlet } from "./outlet.ts";
import { DeliveryChecks } from "./delivery-checks.ts";
import { rebuildJobs } from "./job-rebuild.ts";

const idleMs = 1_100;
/** Connections that break and workers that lose their leases have it looked for at once. */
const epochEveryMs = 10_000;
const secondLookMs = 250;
/** With this many unnoted rows producers are at full speed, and their notes may come late. */
const busyFrom = 200;
const page = 2_000;
/** Payloads may be large. */
const claimPage = 250;
/** Each holds one connection and needs a second now and then: more of them than the pool has would wait for each other. */
const mostRebuilds = 2;

export class JobRelay implements Duty {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #outlets = new Map<string, Outlet>();
  readonly #rebuiltEpochs = new Map<string, string>();
  readonly #rebuilding = new Set<string>();
  /** Queues whose rebuild is to begin, and for which epoch. */
  readonly #toRebuild = new Map<Outlet, string>();
  readonly #rebuilds = new Set<Promise<void>>();
  readonly #alarm = new Alarm(() => this.#look(), { mayEnd: true });
  readonly #stopping = new AbortController();
  readonly #looked = new Notice();
  /** Queues that could not be delivered, how often in a row, and when each is tried again. */
  readonly #setbacks = new Setbacks<string>();
  readonly #tryAgainAt = new Map<string, number>();
  #seen = new Map<string, number>();
  readonly #late = new LateDeliveries();
  readonly #checks: DeliveryChecks;
  #onFamilies: (() => void) | undefined;
  #expectedUntil = 0;
  #nextEpochLook = 0;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
    this.#checks = new DeliveryChecks(logger, () => this.expectRows());
  }

  /** Serves one more queue, whose workers have leases of `leaseMs`. */
  add(outlet: Outlet, leaseMs: number): void {
    this.#outlets.set(outlet.table.queue, outlet);
    this.#checks.add(outlet.table.queue, leaseMs);
    this.lookAtEpochs();
  }

  /** Calls `listener` at each look that finds jobs with children. */
  onFamilies(listener: () => void): void {
    this.#onFamilies = listener;
  }

  serves(queue: string): boolean {
    return this.#outlets.has(queue);
  }

  start(): void {
    this.#alarm.set(0);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#alarm.stop();
    await Promise.all([...this.#rebuilds, this.#checks.stop()]);
  }

  /** Rows may be there that nobody pushes: look for them more often for a while. */
  expectRows(): void {
    this.#expectedUntil = performance.now() + 2_000;
    this.#alarm.set(0);
  }

  /** Valkey may have lost its memory: look now. */
  lookAtEpochs(): void {
    this.#nextEpochLook = 0;
    this.#alarm.set(0);
  }

  /** Resolves when no row is left that nobody is known to have delivered. */
  async broughtAll(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted && (await this.#hasUndelivered())) {
      this.expectRows();
      await this.#looked.wait(undefined, signal);
    }
  }

  async #hasUndelivered(): Promise<boolean> {
    const { jobs, deliveries } = await findUndelivered(this.#database, [...this.#outlets.keys()], page);
    const notesOf = (queue: string) => this.#outlets.get(queue)?.notes;
    return jobs.some(({ queue, id }) => !notesOf(queue)?.has(id)) || deliveries.some(({ queue, id }) => !notesOf(queue)?.joint.has(id));
  }

  async #look(): Promise<void> {
    let waitMs = idleMs;
    try {
      if (!this.#database.isAvailable) this.#checks.postpone();
      await this.#database.whenAvailable(this.#stopping.signal, { mayEnd: true });
      if (this.#stopping.signal.aborted) return;
      await this.#noticeEpochs();
      const isUnfinished = await this.#deliverRows();
      if (isUnfinished || performance.now() < this.#expectedUntil) waitMs = secondLookMs;
    } catch (error) {
      this.#checks.postpone();
      this.#logger.warn({ error: toError(error).message }, "the relay could not look for undelivered jobs; it tries again");
    }
    this.#alarm.set(waitMs);
    this.#looked.notify();
  }

  async #noticeEpochs(): Promise<void> {
    if (performance.now() < this.#nextEpochLook) return;
    this.#nextEpochLook = performance.now() + epochEveryMs;
    for (const outlet of this.#outlets.values()) {
      const { queue } = outlet.table;
      if (!outlet.isOpen || this.#rebuilding.has(queue)) continue;
      try {
        const epoch = await outlet.epoch();
        if (this.#rebuiltEpochs.get(queue) !== epoch) this.#toRebuild.set(outlet, epoch);
      } catch (error) {
        this.#logger.debug({ error: toError(error).message, queue }, "Valkey's epoch could not be read yet");
      }
      this.#beginRebuilds();
    }
  }

  #beginRebuilds(): void {
    for (const [outlet, epoch] of this.#toRebuild) {
      if (this.#rebuilding.size >= mostRebuilds || this.#stopping.signal.aborted) return;
      this.#toRebuild.delete(outlet);
      this.#rebuild(outlet, epoch);
    }
  }

  // Beside the loop: a backlog of a million takes a while, and other queues do not wait for it.
  #rebuild(outlet: Outlet, epoch: string): void {
    const { queue } = outlet.table;
    this.#rebuilding.add(queue);
    const run = rebuildJobs(outlet, epoch, { logger: this.#logger, signal: this.#stopping.signal })
      .then((isDone) => {
        if (!isDone) return;
        this.#rebuiltEpochs.set(queue, epoch);
        this.#checks.follow(outlet, epoch);
      })
      .catch((error: unknown) => {
        this.#logger.warn({ error: toError(error).message, queue }, "a rebuild broke off; it begins again");
      })
      .finally(() => {
        this.#rebuilds.delete(run);
        this.#rebuilding.delete(queue);
        if (this.#rebuiltEpochs.get(queue) !== epoch) this.#nextEpochLook = Math.min(this.#nextEpochLook, performance.now() + idleMs);
        this.#beginRebuilds();
      });
  }

  /** Returns whether rows were seen that may have to be delivered at the next look. */
  async #deliverRows(): Promise<boolean> {
    const begun = performance.now();
    const open = [...this.#outlets.values()].filter(({ isOpen, table }) => isOpen && begun >= (this.#tryAgainAt.get(table.queue) ?? 0));
    if (open.length === 0) return false;
    const { jobs, deliveries, hasFamilies } = await findUndelivered(
      this.#database,
      open.map((outlet) => outlet.table.queue),
      page,
    );
    if (hasFamilies) this.#onFamilies?.();
    this.#late.release(deliveries, (queue) => this.#outlets.get(queue)?.notes.joint);
    const now = performance.now();
    const patienceMs = jobs.length < busyFrom ? secondLookMs : 4 * secondLookMs;
    const seen = new Map<string, number>();
    const due: { readonly queue: string; readonly id: string }[] = [];
    for (const { queue, id } of jobs) {
      const key = `${queue}/${id}`;
      const since = this.#seen.get(key) ?? now;
      if (this.#outlets.get(queue)?.notes.has(id)) continue;
      // A timer may fire a millisecond early.
      if (now - since < patienceMs - 5) seen.set(key, since);
      else due.push({ queue, id });
    }
    this.#seen = seen;
    for (const [queue, rows] of Map.groupBy(due, (row) => row.queue)) {
      const outlet = this.#outlets.get(queue);
      const ids = rows.map(({ id }) => id);
      if (outlet) await this.#deliverAll(outlet, ids);
    }
    return seen.size > 0 || jobs.length === page;
  }

  // What goes wrong with one queue must not keep the others waiting.
  async #deliverAll(outlet: Outlet, ids: readonly string[]): Promise<void> {
    const { queue } = outlet.table;
    try {
      for (let first = 0; first < ids.length; first += claimPage) {
        if (await deliverClaimed(this.#database, outlet, ids.slice(first, first + claimPage))) continue;
        // More pushes would be more copies, until the epoch is in charge.
        this.#rebuiltEpochs.delete(queue);
        this.#nextEpochLook = 0;
        this.#tryLater(queue);
        return;
      }
      this.#setbacks.clear(queue);
      this.#tryAgainAt.delete(queue);
    } catch (error) {
      const count = this.#tryLater(queue);
      this.#logger[count === 1 ? "warn" : "debug"](
        { error: toError(error).message, queue },
        "the relay could not deliver a queue's jobs; it tries again",
      );
    }
  }

  /** Returns how often in a row it went wrong. */
  #tryLater(queue: string): number {
    const count = this.#setbacks.note(queue);
    this.#tryAgainAt.set(queue, performance.now() + retryDelay(count, { first: 250, max: 10_000 }));
    return count;
  }
}
