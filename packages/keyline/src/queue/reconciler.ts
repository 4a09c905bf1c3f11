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
import { Setbacks } from "../runtime/setbacks.ts";
import { delay, retryDelay } from "../runtime/waiting.ts";
import type { Beat, QueueLists } from "../valkey/queue/queue-lists.ts";
import type { Ending } from "./disposal.ts";
import { isConnectionError } from "../valkey/client/connection.ts";
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

/** A worker's commands, as far as one of them may fail while the others do not. */
export type Command = "settle" | "take" | "end" | "wait";

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
  readonly #setbacks = new Setbacks<Command>();
  /** Endings that were refused. */
  readonly #refusals = new Setbacks<HeldJob<Data>>();
  readonly #postponed = new Set<NodeJS.Timeout>();
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
    return this.#unsure.size > 0 || this.#postponed.size > 0;
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
  noteFailure(command: Command, error: unknown): void {
    const count = this.#isDue ? 0 : this.#setbacks.note(command);
    this.#isDue = true;
    const level = count === 1 && !isConnectionError(error) ? "error" : "debug";
    this.#logger[level]({ error: toError(error).message, command }, "a worker's command failed; its held list is read again");
  }

  noteSuccess(...commands: readonly (Command | false)[]): void {
    for (const command of commands) if (command) this.#setbacks.clear(command);
  }

  /** The server refused the ending of this one job, which is still held. Its neighbours go on; `again` hands it in once more, less and less often. */
  postpone(job: HeldJob<Data>, error: unknown, again: () => void): void {
    const count = this.#refusals.note(job);
    this.#logger[count === 1 ? "error" : "debug"]({ id: job.element?.id, error: toError(error).message }, "a job could not be handed in");
    const retry = (): void => {
      this.#postponed.delete(timer);
      again();
    };
    const timer = setTimeout(retry, retryDelay(count, { first: 100, max: 30_000 }));
    this.#postponed.add(timer);
  }

  /** The ending was not refused this time. */
  noteEnd(job: HeldJob<Data>): void {
    this.#refusals.clear(job);
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
    for (let tries = Math.max(0, this.#setbacks.most - 1); !signal.aborted; tries++) {
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
    this.#forgetRefusals();
    return unsure;
  }

  stop(): void {
    this.#stopping.abort();
    this.#forgetRefusals();
  }

  #forgetRefusals(): void {
    this.#refusals.forget();
    for (const timer of this.#postponed) clearTimeout(timer);
    this.#postponed.clear();
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
