import { performance } from "../../runtime/clock.ts";
import { Alarm } from "../../runtime/alarm.ts";
import type { Duty } from "../../runtime/duty.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { retryDelay } from "../../runtime/waiting.ts";
import { DeliveryTable } from "./delivery-table.ts";
import type { JobTable } from "./job-table.ts";
import { JointNotes } from "./joint-notes.ts";

/** A delivery that is to be noted. */
interface Note {
  readonly epoch: string;
  readonly since: number;
  readonly redrive: string | undefined;
}

const markEveryMs = 100;
/** An epoch that is not in charge by then is an old one: the relay looks at its jobs again. */
const patienceMs = 2_000;
const page = 1_000;

/**
 * Notes in PostgreSQL, late and in bulk, which jobs were delivered to which epoch. A job that is settled before its turn costs no
 * update. What is not noted because this process dies is delivered again by the relay, and the settle drops the second copy.
 */
export class DeliveryNotes implements Duty {
  /** Of jobs that were added together. */
  readonly joint: JointNotes;
  readonly #table: JobTable;
  readonly #logger: Logger;
  readonly #notes = new Map<string, Note>();
  /** Jobs that are on their way and noted otherwise, and how often each had been parked or woken then. */
  readonly #underWay = new Map<string, number>();
  #failures = 0;
  readonly #alarm = new Alarm(() => this.#write());

  constructor(table: JobTable, logger: Logger) {
    this.#table = table;
    this.#logger = logger;
    this.joint = new JointNotes(new DeliveryTable(table.database, table.queue), logger);
  }

  start(): void {
    // It is told of deliveries.
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    await Promise.all([this.#alarm.stop(), this.joint.stop()]);
    await this.#write();
    this.#notes.clear();
  }

  /** `redrive`: the tag of the one that has put them back. */
  note(epoch: string, ids: Iterable<string>, redrive?: string): void {
    const note = { epoch, since: performance.now(), redrive };
    for (const id of ids) this.#notes.set(id, note);
    this.#alarm.set(markEveryMs);
  }

  /** The job was settled here: nothing is left to note. */
  forget(id: string): void {
    this.#notes.delete(id);
  }

  /** A job is on its way. False where it is so already, in the same state. */
  begin(id: string, parks: number): boolean {
    if (this.#underWay.get(id) === parks) return false;
    this.#underWay.set(id, parks);
    return true;
  }

  /** It is noted, or that came to nothing. */
  end(id: string, parks: number): void {
    if (this.#underWay.get(id) === parks) this.#underWay.delete(id);
  }

  /** True for a job that is on its way here, or about to be noted. */
  has(id: string): boolean {
    return this.#notes.has(id) || this.#underWay.has(id);
  }

  async #write(): Promise<void> {
    if (this.#table.database.isAvailable) await this.#markAll();
    if (this.#notes.size > 0) this.#alarm.set(retryDelay(this.#failures, { first: markEveryMs, max: 5_000 }));
  }

  async #markAll(): Promise<void> {
    const byNote = Map.groupBy(this.#notes, ([, note]) => note);
    let isBusy = false;
    for (const [note, entries] of byNote) {
      for (let first = 0; first < entries.length; first += page) {
        const ids = entries.slice(first, first + page).map(([id]) => id);
        let busy: ReadonlySet<string>;
        try {
          const marked = await this.#table.mark(note.epoch, ids, note.redrive);
          // At the start of a queue its epoch may not be in charge yet.
          if (!marked.isInCharge && performance.now() - note.since < patienceMs) break;
          ({ busy } = marked);
        } catch (error) {
          this.#logger.debug({ error: toError(error).message, queue: this.#table.queue }, "deliveries could not be noted yet");
          this.#failures++;
          return;
        }
        for (const id of ids) if (this.#notes.get(id) === note && !busy.has(id)) this.#notes.delete(id);
        isBusy ||= busy.size > 0;
      }
    }
    // Somebody's transaction may be open for long.
    this.#failures = isBusy ? this.#failures + 1 : 0;
  }
}
