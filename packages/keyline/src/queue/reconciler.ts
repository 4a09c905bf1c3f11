/*
 * DESIGN. A reply that got lost must strand no job. After every failure and every reconnect, once nothing is under way, the
 * worker's held list is read again: what is in it and unknown here was taken by the lost command and is begun now; what had
 * ended here and is still in it is handed in once more; what had ended and is not in it, has ended. The same happens when
 * renewals of the lease twice show more than is known here: a blocking command whose connection died can still move a job
 * after the list was read.
 */
import { toError } from "../runtime/errors.ts";
import type { Lease } from "../work/lease.ts";
import type { Logger } from "../runtime/logger.ts";
import { delay, retryDelay } from "../runtime/waiting.ts";
import type { Beat, QueueLists } from "../valkey/queue/queue-lists.ts";
import type { Ending } from "./disposal.ts";
import type { HeldJob, HeldJobs } from "./held-jobs.ts";

/** What the held list showed. */
export interface Reading<Data> {
  /** Elements that nothing was known of. */
  readonly found: readonly string[];
  /** These had ended here, and are still held. */
  readonly again: ReadonlyMap<HeldJob<Data>, Ending>;
  /** These had ended here, and Valkey knows. */
  readonly ended: ReadonlyMap<HeldJob<Data>, Ending>;
}

/** Finds out what a worker really holds, whenever that is in doubt. */
export class Reconciler<Data> {
  readonly #lists: QueueLists;
  readonly #lease: Lease<Beat>;
  readonly #held: HeldJobs<Data>;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  #unsure = new Map<HeldJob<Data>, Ending>();
  #isDue = false;
  #generation = 0;
  #failures = 0;
  #suspicions = 0;

  constructor(
    held: HeldJobs<Data>,
    { lists, lease, logger }: { readonly lists: QueueLists; readonly lease: Lease<Beat>; readonly logger: Logger },
  ) {
    this.#held = held;
    this.#lists = lists;
    this.#lease = lease;
    this.#logger = logger;
  }

  /** The list has to be read before anything else is sent. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** Whether jobs have ended of which it is not known whether Valkey knows. */
  get isUnsure(): boolean {
    return this.#unsure.size > 0;
  }

  /** What is known of the list may be wrong. */
  doubt(): void {
    this.#isDue = true;
  }

  /** The job has ended, and it is not known whether Valkey knows. */
  doubtEnd(job: HeldJob<Data>, ending: Ending): void {
    this.#unsure.set(job, ending);
  }

  /** A command failed. Where one fails after every reading, it is no broken connection: then the list is read less and less often. */
  noteFailure(): void {
    if (!this.#isDue) this.#failures++;
    this.#isDue = true;
  }

  noteSuccess(): void {
    this.#failures = 0;
  }

  /** Takes note of how many jobs the list has, while no command is under way. */
  compare(heldCount: number): void {
    this.#suspicions = heldCount > this.#held.size + this.#unsure.size ? this.#suspicions + 1 : 0;
    if (this.#suspicions >= 2) this.#isDue = true;
  }

  /** Reads the list, and tries until that works. Undefined when there is nothing to do any more: the lease went, or the worker stopped. */
  async read(): Promise<Reading<Data> | undefined> {
    const generation = this.#generation;
    const { signal } = this.#stopping;
    for (let tries = Math.max(0, this.#failures - 1); !signal.aborted; tries++) {
      if (tries > 0) await delay(retryDelay(tries - 1), signal);
      const raws = await this.#tryToRead();
      if (generation !== this.#generation) return undefined;
      if (raws) return this.#reconcile(raws);
    }
    return undefined;
  }

  /** Forgets everything of a lease that is lost. Returns the jobs of which it is not known whether Valkey knows their end. */
  reset(): readonly HeldJob<Data>[] {
    const unsure = [...this.#unsure.keys()];
    this.#generation++;
    this.#unsure.clear();
    return unsure;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #tryToRead(): Promise<readonly string[] | undefined> {
    try {
      if (!(await this.#lists.connection.whenReady(1_000, this.#stopping.signal))) return undefined;
      // A list whose lease has ended is not this worker's to read.
      await this.#lease.beat();
      return await this.#lists.held(this.#lease.name);
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "the held list could not be read yet");
      return undefined;
    }
  }

  #reconcile(raws: readonly string[]): Reading<Data> {
    const endings = this.#unsure;
    const { unknown, stillHeld, vanished } = this.#held.reconcile(raws, [...endings.keys()]);
    this.#unsure = new Map();
    this.#isDue = false;
    this.#suspicions = 0;
    for (const job of vanished) this.#logger.debug({ id: job.element?.id }, "a job is not in the held list any more");
    const again = new Map<HeldJob<Data>, Ending>();
    const ended = new Map<HeldJob<Data>, Ending>();
    for (const [job, ending] of endings) (stillHeld.has(job) ? again : ended).set(job, ending);
    return { found: unknown, again, ended };
  }
}
