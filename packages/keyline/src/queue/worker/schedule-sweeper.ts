/*
 * DESIGN. The row of a job may go on while an element of it is on its way to the schedule: a delivery that is late, or a second one, or one whose answer gets lost, or by whoever dies behind it. Where
 * it comes behind what replaces it, nothing takes it off again before its time, which may be far away; it is counted until then, and may stand in the way of its group.
 *
 * So one worker at a time looks through the schedule now and then, and makes due what rows say is out of date. It is taken, its row is asked, as with all that was delivered again, and it is
 * dropped like every second copy, with whatever its job is tied to. So nothing is decided here: one that was mistaken for out of date would run, or go back to the schedule.
 */
import type { ParkedRows } from "../../postgres/job/parked-rows.ts";
import { performance } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { walkBegin, type WalkPlace } from "../../valkey/queue/cancels.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import { readHead } from "../element.ts";
import type { HeldJob } from "./held-jobs.ts";

const pauseMs = 10_000;
/** So much longer than a look through all of it took is waited before the next one; and no longer than a pause for each page, as a look may have waited for others. */
const restsFor = 50;
/** Whoever looks is believed to be at it for so long. */
const patienceMs = 60_000;

/** The duty that takes off the schedule of a transactional queue what is out of date. */
export class ScheduleSweeper implements ShiftDuty<HeldJob<unknown>, Beat> {
  readonly #store: QueueStore;
  readonly #rows: ParkedRows;
  readonly #logger: Logger;
  #next = 0;
  #look: Promise<void> | undefined;
  #isStopped = false;

  constructor(store: QueueStore, { rows, logger }: { readonly rows: ParkedRows; readonly logger: Logger }) {
    this.#store = store;
    this.#rows = rows;
    this.#logger = logger;
  }

  start(): void {
    this.#next = performance.now() + pauseMs * Math.random();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#look;
  }

  /** Where nothing is scheduled there is nothing to look at. */
  follow({ due }: Beat): void {
    if (due === undefined || this.#look !== undefined || performance.now() < this.#next) return;
    this.#next = performance.now() + pauseMs;
    this.#look = this.#lookThrough()
      .catch((error: unknown) => {
        this.#logger.debug({ error: toError(error).message }, "the schedule could not be looked through; it is tried again");
      })
      .finally(() => (this.#look = undefined));
  }

  async #lookThrough(): Promise<void> {
    const { schedule, jobPages } = this.#store;
    if (!(await schedule.mayLook(patienceMs))) return;
    const began = performance.now();
    let pages = 0;
    for (let at: WalkPlace | undefined = walkBegin; at !== undefined && !this.#isStopped;) {
      const page: Awaited<ReturnType<typeof jobPages.read>> = await jobPages.read("scheduled", at, []);
      await this.#makeDue(page.found.map(({ raw }) => raw));
      at = page.next;
      pages++;
    }
    await schedule.rest(Math.max(pauseMs, Math.min(Math.ceil(restsFor * (performance.now() - began)), pauseMs * pages)));
  }

  async #makeDue(elements: readonly string[]): Promise<void> {
    const heads = elements.flatMap((raw) => {
      const head = isAskedFor(raw) ? readHead(raw) : undefined;
      return head ? [{ raw, head }] : [];
    });
    if (heads.length === 0) return;
    const rows = await this.#rows.present(heads.map(({ head }) => head.id));
    const late = heads.filter(({ head }) => {
      const row = rows.get(head.id);
      return !row || row.attempts > head.attempts || row.parks > head.parks;
    });
    if (late.length > 0) await this.#store.schedule.hasten(late.map(({ raw }) => raw));
  }
}

/** Whether its row is asked before it runs: then it is dropped where that is gone, or has gone on. */
function isAskedFor(raw: string): boolean {
  const head = raw.slice(0, Math.max(0, raw.indexOf(',"data":')));
  return head.startsWith('{"attempts":') || /,"(?:again":true|group":|latest":true)/.test(head);
}
