import type { FamilyTable, Released } from "../../postgres/job/family-table.ts";
import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { committedRow } from "../add/committed.ts";
import type { JobOutlet } from "../add/job-outlet.ts";
import type { Canceller } from "../jobs/canceller.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

/** A queue of this process, as far as families need it. */
export interface FamilyQueue {
  readonly store: QueueStore;
  readonly canceller: Canceller;
  readonly outlet: JobOutlet;
}

interface FamilyReleaserParts {
  readonly table: FamilyTable;
  /** Undefined for a queue that this process has not. */
  readonly find: (queue: string) => FamilyQueue | undefined;
  readonly logger: Logger;
}

const idleMs = 1_000;
const sweepPage = 100;
const askPage = 1_000;
const cancelPage = 500;
const clearPage = 5_000;

/**
 * Asks for the parents of jobs that have ended here, behind their COMMIT: for all that end while one question is under way there is one more. And once a second for a page of all families,
 * so that none stays parked whose asker died; families whose parent has ended are cleared up.
 */
export class FamilyReleaser {
  readonly #parts: FamilyReleaserParts;
  /** Jobs that have ended, by their queues. */
  readonly #ended = new Map<string, Set<string>>();
  readonly #alarm = new Alarm(() => this.#look(), { mayEnd: true });
  #asking: Promise<void> | undefined;
  #after = "0";
  #isStopped = false;

  constructor(parts: FamilyReleaserParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#alarm.set(idleMs);
  }

  /** A family may have lost its parent: look now. */
  look(): void {
    this.#alarm.set(0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#alarm.stop();
    await this.#asking;
  }

  /** A child has ended, and that is committed. */
  noteEnded(queue: string, id: string): void {
    const known = this.#ended.get(queue);
    if (known) known.add(id);
    else this.#ended.set(queue, new Set([id]));
    this.#asking ??= this.#askAll().finally(() => (this.#asking = undefined));
  }

  async #askAll(): Promise<void> {
    // What ends in the same turn of the event loop is asked for together.
    await Promise.resolve();
    for (let next = this.#takeEnded(); next; next = this.#takeEnded()) {
      try {
        await this.#tell(await this.#parts.table.release(next.queue, next.ids));
      } catch (error) {
        // The sweep asks instead.
        this.#parts.logger.debug(
          { error: toError(error).message, queue: next.queue },
          "the parents of jobs could not be asked for; it is done later",
        );
      }
    }
  }

  #takeEnded(): { readonly queue: string; readonly ids: string[] } | undefined {
    for (const [queue, ids] of this.#ended) {
      const some = [...ids].slice(0, askPage);
      for (const id of some) ids.delete(id);
      if (ids.size === 0) this.#ended.delete(queue);
      return { queue, ids: some };
    }
    return undefined;
  }

  async #tell(released: readonly Released[]): Promise<void> {
    for (const { queue, id, answer } of released) {
      const parts = this.#parts.find(queue);
      if (answer === "dead") {
        // It may be a child itself.
        this.noteEnded(queue, id);
        await parts?.store.ends.tell(id).catch(() => undefined);
        continue;
      }
      // Where this process dies before it is delivered, or does not have that queue, the relay of one that has delivers it.
      const row = await parts?.outlet.table.parked.woken(id);
      if (row) parts?.outlet.pushCommitted([committedRow(row)]);
    }
  }

  async #look(): Promise<void> {
    this.#alarm.set(idleMs);
    try {
      const { released, next } = await this.#parts.table.sweep(this.#after, sweepPage);
      this.#after = next ?? "0";
      await this.#tell(released);
      await this.#clearUp();
    } catch (error) {
      this.#parts.logger.debug({ error: toError(error).message }, "families could not be looked through; it is tried again");
    }
  }

  /** Cancels what cancelled parents have left, and removes the rows of families that are over. */
  async #clearUp(): Promise<void> {
    const { table } = this.#parts;
    // Those that are left to another process do not stand in the way of others.
    for (let after: string | undefined = "0"; after !== undefined && !this.#isStopped;) {
      const families = await table.ended(after, sweepPage);
      after = families.length < sweepPage ? undefined : families.at(-1)?.family;
      for (const { family, ended } of families) {
        if (this.#isStopped) return;
        if (ended === "cancelled" && !(await this.#cancelBelow(family))) continue;
        while (!this.#isStopped && !(await table.clear(family, clearPage)));
      }
    }
  }

  /** False when a process that has more queues is to do it. Each child that is cancelled and has children ends a family itself, which is met next. */
  async #cancelBelow(family: string): Promise<boolean> {
    const { table, find } = this.#parts;
    for (let after = 0; !this.#isStopped;) {
      const children = await table.open(family, after, cancelPage);
      for (const [queue, some] of Map.groupBy(children, (child) => child.queue)) {
        const parts = find(queue);
        if (!parts) return false;
        const running = await idsRunning(parts.store);
        const ids = some.map(({ id }) => id).filter((id) => !running.has(id));
        if (ids.length > 0)
          await parts.canceller.cancelAll({ ids, group: undefined, state: undefined, after: undefined, before: undefined }, {});
      }
      if (children.length < cancelPage) return true;
      after = children.at(-1)?.number ?? after;
    }
    return false;
  }
}

/** Those that some worker has taken. */
async function idsRunning({ keys, reads, leases }: QueueStore): Promise<ReadonlySet<string>> {
  const running = new Set<string>();
  for (const worker of await leases.workers()) {
    for await (const ids of reads.ids(keys.held(worker))) for (const id of ids) running.add(id);
  }
  return running;
}

/** Jobs were cancelled: some may be children, and some may have children. */
export function noteCancelled(releaser: FamilyReleaser, queue: string, ids: readonly string[]): void {
  for (const id of ids) releaser.noteEnded(queue, id);
  releaser.look();
}
