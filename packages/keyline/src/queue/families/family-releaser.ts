import type { FamilyTable } from "../../postgres/job/family-table.ts";
import type { Released } from "../../postgres/job/parent-rows.ts";
import { Alarm } from "../../runtime/alarm.ts";
import { performance } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay } from "../../runtime/waiting.ts";
import { committedRow } from "../add/committed.ts";
import { cancelIdle } from "./cancel-below.ts";
import { DeadParents } from "./dead-parents.ts";
import type { FamilyQueue } from "./family-queue.ts";
import { ReleaseQuestions } from "./release-questions.ts";

interface FamilyReleaserParts {
  readonly table: FamilyTable;
  /** Undefined for a queue that this process has not. */
  readonly find: (queue: string) => FamilyQueue | undefined;
  /** Tells the workers of a queue, wherever they are, that there are rows to deliver. */
  readonly tellRows: (queue: string) => Promise<void>;
  readonly logger: Logger;
}

const idleMs = 1_000;
/** So much longer than the looks of one round took is waited before the next one; and no longer than a second for each page, as a look may have waited for others. */
const restsFor = 20;
const sweepPage = 200;
/** Children of a large family end all the time: behind so many questions in a row that released nobody there is a rest, so much longer than the last one took. */
const restsFrom = 4;
const askRests = 2;
const longestRestMs = 10;
const cancelPage = 500;
const clearPage = 5_000;

/**
 * Asks for the parents of jobs that have ended here, behind their COMMIT: for all that end while one question is under way there is one more. And all families are looked through,
 * every second where that is soon done, so that none stays parked whose asker died; families whose parent has ended are cleared up.
 */
export class FamilyReleaser {
  readonly #parts: FamilyReleaserParts;
  readonly #questions: ReleaseQuestions;
  readonly #dead: DeadParents;
  readonly #alarm = new Alarm(() => this.#look(), { mayEnd: true });
  #asking: Promise<void> | undefined;
  #areThere = false;
  #isStopped = false;

  constructor(parts: FamilyReleaserParts) {
    this.#parts = parts;
    this.#questions = new ReleaseQuestions(parts.table.parents);
    this.#dead = new DeadParents({ parents: parts.table.parents, find: parts.find, logger: parts.logger });
  }

  /** Families are there, by whomever: they are looked through until there are none. */
  expect(): void {
    if (this.#areThere) return;
    this.#areThere = true;
    this.#alarm.set(idleMs);
  }

  /** Jobs were cancelled: some may be children, and some may have children. Where no families are known the next look finds them. */
  noteCancelled(queue: string, ids: readonly string[]): void {
    if (!this.#areThere) return;
    for (const id of ids) this.noteEnded(queue, id);
    this.#alarm.set(0);
  }

  /** A job waits for its children, and that is committed: the last of them may have ended just before. */
  noteParked(queue: string, id: string): void {
    this.#questions.noteParked(queue, id);
    this.#askSoon();
  }

  /** Resolves when the parents of all that has ended here were asked for. */
  async settled(): Promise<void> {
    while (this.#asking) await this.#asking;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#dead.stop();
    await this.#alarm.stop();
    while (this.#asking) await this.#asking;
  }

  /** A child has ended, and that is committed. */
  noteEnded(queue: string, id: string): void {
    this.#questions.noteEnded(queue, id);
    this.#askSoon();
  }

  /** Some of their children have ended, and that is committed. */
  noteFamilies(families: readonly string[]): void {
    if (families.length === 0) return;
    this.#questions.noteFamilies(families);
    this.#askSoon();
  }

  #askSoon(): void {
    this.#asking ??= this.#askAll();
  }

  async #askAll(): Promise<void> {
    // What ends in the same turn of the event loop is asked for together.
    await Promise.resolve();
    try {
      let vain = 0;
      for (let next = this.#questions.next(); next; next = this.#questions.next()) {
        try {
          const began = performance.now();
          const released = await next.ask();
          vain = released.length > 0 ? 0 : vain + 1;
          await this.#tell(released);
          if (vain > restsFrom && !this.#isStopped) await delay(Math.min(longestRestMs, askRests * (performance.now() - began)));
        } catch (error) {
          // The sweep asks instead.
          this.#parts.logger.debug(
            { error: toError(error).message, ...(next.queue !== undefined && { queue: next.queue }) },
            "the parents of jobs could not be asked for; it is done later",
          );
        }
      }
    } finally {
      // With the look that found no question: what ends a moment later begins the next ones.
      this.#asking = undefined;
    }
  }

  async #tell(released: readonly Released[]): Promise<void> {
    const elsewhere = new Set<string>();
    for (const { queue, id, answer } of released) {
      const parts = this.#parts.find(queue);
      if (answer === "dead") {
        // It may be a child itself.
        this.noteEnded(queue, id);
        if (parts) await this.#dead.tell(parts, queue, id);
        continue;
      }
      // Where this process dies before it is delivered, or does not have that queue, the relay of one that has delivers it.
      if (!parts) elsewhere.add(queue);
      const row = await parts?.outlet.table.parked.woken(id);
      if (row) parts?.outlet.pushCommitted([committedRow(row)]);
    }
    for (const queue of elsewhere) await this.#tellElsewhere(queue);
  }

  /** Behind the COMMIT of what released the parent. Nobody hears of it: its relay finds the row a second later. */
  async #tellElsewhere(queue: string): Promise<void> {
    try {
      await this.#parts.tellRows(queue);
    } catch (error) {
      this.#parts.logger.debug({ error: toError(error).message, queue }, "workers could not be told of a parent that may go on");
    }
  }

  async #look(): Promise<void> {
    const began = performance.now();
    let restMs = idleMs;
    try {
      let count = 0;
      let pages = 0;
      for (let after: string | undefined = "0"; after !== undefined && !this.#isStopped; pages++) {
        const { released, next, looked } = await this.#parts.table.parents.sweep(after, sweepPage);
        after = next;
        count += looked;
        await this.#tell(released);
      }
      this.#areThere = count > 0;
      if (this.#areThere) await this.#dead.tellUntold();
      if (this.#areThere) restMs = Math.max(idleMs, Math.min(restsFor * (performance.now() - began), idleMs * pages));
      // What is cancelled below a family may have one itself.
      while (await this.#clearUp());
    } catch (error) {
      this.#parts.logger.debug({ error: toError(error).message }, "families could not be looked through; it is tried again");
    }
    if (this.#areThere) this.#alarm.set(restMs);
  }

  /** Cancels what cancelled parents have left, and removes the rows of families that are over. False where there was nothing to do for this process. */
  async #clearUp(): Promise<boolean> {
    const { table } = this.#parts;
    let hasDone = false;
    // Those that are left to another process do not stand in the way of others.
    for (let after: string | undefined = "0"; after !== undefined && !this.#isStopped;) {
      const families = await table.ended(after, sweepPage);
      after = families.length < sweepPage ? undefined : families.at(-1)?.family;
      for (const { family, ended } of families) {
        if (this.#isStopped) return false;
        if (ended === "cancelled" && !(await this.#cancelBelow(family))) continue;
        for (let removed = clearPage; removed === clearPage && !this.#isStopped;) {
          removed = await table.clear(family, clearPage);
          // One whose child is being settled is left for the next look.
          hasDone ||= removed > 0;
        }
      }
    }
    return hasDone;
  }

  /**
   * False when processes that have more queues are to do it: those of this process are cancelled all the same, up to where none are. Each child that is cancelled and has children ends a family
   * itself, which is met next.
   */
  async #cancelBelow(family: string): Promise<boolean> {
    const { table } = this.#parts;
    let isWhole = true;
    for (let after = 0; !this.#isStopped;) {
      const children = await table.open(family, after, cancelPage);
      let known = 0;
      for (const [queue, some] of Map.groupBy(children, (child) => child.queue)) {
        const parts = this.#parts.find(queue);
        if (!parts) continue;
        known += some.length;
        await cancelIdle(parts, some);
      }
      isWhole &&= known === children.length;
      if (children.length < cancelPage) return isWhole;
      if (known === 0) return false;
      after = children.at(-1)?.number ?? after;
    }
    return false;
  }
}
