import type { ParentRows } from "../../postgres/job/parent-rows.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { committedRow } from "../add/committed.ts";
import type { FamilyQueue } from "./family-queue.ts";

interface DeadParentsParts {
  readonly parents: ParentRows;
  /** Undefined for a queue that this process has not. */
  readonly find: (queue: string) => FamilyQueue | undefined;
  readonly logger: Logger;
}

const page = 200;
const longestError = 500;

/** Tells of parents that died while they were parked: no worker had them that could say so. */
export class DeadParents {
  readonly #parts: DeadParentsParts;
  #isStopped = false;

  constructor(parts: DeadParentsParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Who waits is told first, which may be done twice; then one process notes that, counts it and tells the event.
   * _It dies before that, or has not that queue:_ any that has it finds the parent untold.
   */
  async tell({ store, outlet, teller, tally }: FamilyQueue, queue: string, id: string): Promise<void> {
    const { parents, logger } = this.#parts;
    try {
      const row = await outlet.table.parked.buried(id);
      // What is left of it on Valkey would be dropped within a day.
      const replaces = row && committedRow(row).replaces;
      if (replaces !== undefined) await store.schedule.remove(replaces);
      await store.ends.tell(id);
      if (!(await parents.noteTold(queue, id)) || !row) return;
      tally.noteDead();
      teller.tell("dead", id, { attempt: row.attempts, error: row.last_error?.slice(0, longestError).toWellFormed() ?? "" });
    } catch (error) {
      logger.debug({ error: toError(error).message, queue }, "the end of a parent could not be told; it is done later");
    }
  }

  /** Those that were buried by a process that has not their queue, or died before it told. */
  async tellUntold(): Promise<void> {
    const { parents, find } = this.#parts;
    for (let after: string | undefined = "0"; after !== undefined && !this.#isStopped;) {
      const families: Awaited<ReturnType<ParentRows["untold"]>> = await parents.untold(after, page);
      after = families.length < page ? undefined : families.at(-1)?.family;
      for (const { queue, id } of families) {
        const parts = find(queue);
        if (parts && !this.#isStopped) await this.tell(parts, queue, id);
      }
    }
  }
}
