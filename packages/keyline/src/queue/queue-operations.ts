import { KeylineError } from "../runtime/errors.ts";
import type { AddCheck } from "./add/add-check.ts";
import type { DeadLetter } from "./letters/dead-letter.ts";
import { DeadLetters } from "./letters/dead-letters.ts";
import { checkPause, type PauseOptions } from "./gates/gatekeeper.ts";
import { checkGroups, type GroupsOptions, type QueueGroupStatus } from "./gates/group-query.ts";
import type { DeadLettersOptions, LetterActOptions } from "./letters/letter-filter.ts";
import type { CausesOptions, DeadLetterCauses } from "./letters/letter-causes.ts";
import type { LimitChanges, Limits } from "./gates/limits.ts";
import { ScheduleOperations } from "./schedules/schedule-operations.ts";
import type { QueueParts } from "./queue-parts.ts";
import { readStores, type QueueStores } from "./queue-stores.ts";
import { checkCounts, readKnown, readStatus, type CountsOptions, type KnownStatus, type QueueStatus } from "./queue-status.ts";
import type { EventsOptions, QueueEvent } from "./events/queue-event.ts";
import { checkRates, type RatesOptions } from "../figures/figures.ts";
import type { QueueRates } from "./rates/rate-summary.ts";
import { checkWait, type WaitOptions } from "./results/wait-options.ts";
import { readWorkers, type WorkerInfo, type WorkersOptions } from "./worker/worker-info.ts";
import { asAct } from "../valkey/client/as-act.ts";
import { asRead } from "../valkey/client/as-read.ts";

const noOptions = {};

/** What can be asked of a queue, and done to it, besides adding jobs and running them. */
export abstract class QueueOperations<Input> extends ScheduleOperations<Input> {
  readonly #parts: QueueParts;
  readonly #letters: DeadLetters;

  protected constructor(parts: QueueParts, check: AddCheck<Input>) {
    super(parts, check);
    this.#parts = parts;
    this.#letters = new DeadLetters(parts);
  }

  /**
   * How many jobs wait, run, are scheduled, blocked, parked and dead, and how many dead letters were dropped. On a transactional queue `dead` counts rows; running jobs are not settled yet.
   * While Valkey is away, a transactional queue's are counted in its rows: `isFromRows`. Throws VALKEY_UNAVAILABLE and POSTGRES_UNAVAILABLE.
   */
  counts(): Promise<QueueStatus>;
  /** With `known`, a transactional queue also answers while PostgreSQL is away: what only that knows is undefined. */
  counts(options: CountsOptions): Promise<KnownStatus>;
  counts(options: CountsOptions = noOptions): Promise<KnownStatus> {
    return this.#parts.door.accept(async () => asRead(checkCounts(options) ? readKnown(this.#parts) : readStatus(this.#parts)));
  }

  /**
   * How many open jobs Valkey and PostgreSQL each have, and the difference. It counts all rows, so ask it when a person looks, not every second. What is not known is undefined: it does not reject while a store is
   * away.
   *
   * @example
   * const { valkey, postgres, undelivered, difference } = await emails.stores();
   */
  stores(): Promise<QueueStores> {
    return this.#parts.door.accept(() => readStores(this.#parts));
  }

  /**
   * Resolves with the job's result when it has completed: what its handler returned, where that is kept (`keepResult`), else undefined. It may have
   * ended before this call, as long as its result is kept. Nobody polls, however many wait, and an outage is waited through.
   *
   * Throws JobDeadError, JobCancelledError, TIMEOUT after `timeout` milliseconds (default: never) and the reason of `signal`; JOB_UNKNOWN when there is no such
   * job and nothing is remembered of it; and before anything is sent INVALID_ID and INVALID_OPTION.
   *
   * @example
   * const { id } = await reports.add({ month: "2026-10" }, { keepResult: 60_000 });
   * const report = await reports.waitFor<{ url: string }>(id, { timeout: 30_000 });
   */
  async waitFor<Result = unknown>(id: string, options: WaitOptions = noOptions): Promise<Result> {
    this.#parts.door.check();
    return (await this.#parts.listening.waits.for(id, checkWait(options))) as Result;
  }

  /**
   * What becomes of the queue's jobs, in any process: they are added, started, say how far they are, are retried, completed, dead or cancelled; and the queue or a
   * group is paused or resumed. While nobody follows nothing is written; it begins when all workers know, and adders know it a second later. The last 10,000 events
   * are kept: `since` an event's `cursor` goes on behind it. Delivery goes on by itself after reconnects and failovers, and `onGap` says in order where events
   * are missing. Throws INVALID_OPTION and INVALID_CURSOR at once.
   *
   * @example
   * for await (const event of emails.events()) if (event.type === "progress") console.log(event.id, event.progress);
   */
  events(options: EventsOptions = noOptions): AsyncIterableIterator<QueueEvent, undefined, void> {
    this.#parts.door.checkOpen();
    return this.#parts.listening.events(options);
  }

  /**
   * How many jobs were added, completed, tried in vain, dead and cancelled, how long they waited and ran, and how many there were: minute by minute, of the last hour or of as many `minutes`, up to two
   * days, or by `hours`, up to ninety days. Every process writes it down every few seconds, so it is a little behind. While Valkey is away, hours are those that PostgreSQL keeps. Throws INVALID_OPTION and VALKEY_UNAVAILABLE.
   *
   * @example
   * const { total } = await emails.rates({ minutes: 15 });
   */
  rates(options: RatesOptions = noOptions): Promise<QueueRates> {
    return this.#parts.door.accept(async () => asRead(this.#parts.listening.rates(checkRates(options))));
  }

  /**
   * Who works on the queue: workers of all processes whose lease goes on, what they are, and what they run. They tell what they run while somebody asks, so it is known a moment
   * after the first call. Throws INVALID_OPTION and VALKEY_UNAVAILABLE.
   *
   * @example
   * for (const { host, pid, running, concurrency } of await emails.workers()) console.log(host, pid, running, concurrency);
   */
  workers(options: WorkersOptions = noOptions): Promise<WorkerInfo[]> {
    return this.#parts.door.accept(() => asRead(readWorkers(this.#parts.store, options)));
  }

  /**
   * Changes the queue's limits: what is left out stays as it is, null takes a limit away. They are kept with the queue, and in force on all workers when this
   * resolves. Throws INVALID_OPTION, VALKEY_UNAVAILABLE and, for a transactional queue, POSTGRES_UNAVAILABLE.
   *
   * @example
   * await calls.setLimits({ concurrency: 20, rate: { max: 100, per: 1_000 } });
   */
  setLimits(changes: LimitChanges): Promise<void> {
    return this.#act("setLimits", () => this.#parts.gatekeeper.setLimits(changes));
  }

  /** The limits that are in force. */
  limits(): Promise<Limits> {
    return this.#parts.door.accept(() => asRead(this.#parts.gatekeeper.limits()));
  }

  /**
   * Keeps workers from beginning jobs of this queue, or of one group, until `resume`, in whatever process and across restarts. Jobs can be added, and those that
   * run are finished. In force on all workers when this resolves.
   *
   * @example
   * await calls.pause({ group: "customer-7" });
   */
  async pause(options: PauseOptions = {}): Promise<void> {
    checkPause("pause", options);
    return this.#act("pause", () => this.#parts.gatekeeper.pause(options, true));
  }

  /** Ends a pause. */
  async resume(options: PauseOptions = {}): Promise<void> {
    checkPause("resume", options);
    return this.#act("resume", () => this.#parts.gatekeeper.pause(options, false));
  }

  /**
   * The groups that have jobs, in no order: those in a `state`, or all. One that comes or goes meanwhile may be met or not;
   * `cursor` goes on behind one. While Valkey is away, a transactional queue's are told by its rows: `isFromRows`. Throws INVALID_OPTION and INVALID_CURSOR at once.
   *
   * @example
   * for await (const { name, waiting, blockedBy } of calls.groups({ state: "blocked" })) console.log(name, waiting, blockedBy);
   */
  groups(options: GroupsOptions = noOptions): AsyncIterableIterator<QueueGroupStatus> {
    const query = checkGroups(options);
    this.#parts.door.check();
    return this.#parts.gatekeeper.groups(query);
  }

  /**
   * The dead letters that fit, newest first, page by page as they are iterated. Letters that come and go meanwhile do no harm: none is met twice, and
   * none that is there all the time is missed. Throws INVALID_OPTION at once.
   *
   * @example
   * for await (const letter of emails.deadLetters({ error: /timeout/i, limit: 100 })) console.log(letter.id, letter.reason, letter.history);
   */
  deadLetters(options: DeadLettersOptions = noOptions): AsyncIterableIterator<DeadLetter, undefined, void> {
    return this.#letters.read(options);
  }

  /**
   * What the dead letters died of: grouped by the kind of their error and its message, in which numbers, ids and quoted texts count as the same. It looks at the newest 10,000.
   * Rejects with INVALID_OPTION before anything is sent.
   *
   * @example
   * const { causes } = await emails.deadLetterCauses();
   * if (causes[0]) await emails.redrive({ cause: causes[0].cause });
   */
  deadLetterCauses(options: CausesOptions = noOptions): Promise<DeadLetterCauses> {
    return this.#letters.causes(options);
  }

  /**
   * Puts the dead letters that fit back on the queue, oldest first and page by page, with their attempts counted from zero again. Returns how many. A
   * filter is required, or `all: true`; `dryRun: true` only counts. One that dies again meanwhile is not redriven a second time. On a plain queue one whose own id was added again
   * meanwhile stays a dead letter. Rejects with INVALID_OPTION before anything is sent.
   *
   * @example
   * await emails.redrive({ error: "ECONNREFUSED", after: Date.now() - 3_600_000 });
   */
  redrive(options: LetterActOptions): Promise<number> {
    return asAct(this.#letters.act("redrive", options), `redrive of queue ${this.name}`);
  }

  /**
   * Removes the dead letters that fit for good, oldest first and page by page. Returns how many. A filter is required, or `all: true`; `dryRun: true` only counts. Rejects
   * with INVALID_OPTION before anything is sent.
   *
   * @example
   * await emails.discard({ before: Date.now() - 7 * 86_400_000 });
   */
  discard(options: LetterActOptions): Promise<number> {
    return asAct(this.#letters.act("discard", options), `discard of queue ${this.name}`);
  }

  #act<Answer>(name: string, act: () => Promise<Answer>): Promise<Answer> {
    return this.#parts.door.accept(() => asAct(act(), `${name} of queue ${this.name}`));
  }

  /**
   * Sends the job a signal, for which its handler waits, or will wait, with `job.signalled`. Of several with one name the first counts, so the call can be repeated. Resolves to false when there is no
   * such job, as one that has ended; a dead letter keeps it until it is redriven. Only on a transactional queue.
   *
   * Rejects, before anything is sent, with NOT_TRANSACTIONAL, INVALID_ID, INVALID_OPTION, NOT_SERIALIZABLE, FORBIDDEN_KEY and PAYLOAD_TOO_LARGE (64 KiB); and with INVALID_STEP when the job
   * has 256 signals.
   *
   * @example
   * await orders.signal(id, "approved", { by: "ann" });
   */
  signal(id: string, name: string, data?: unknown): Promise<boolean> {
    return this.#parts.door.accept(async () => {
      if (this.#parts.signals) return this.#parts.signals.send(id, name, data);
      throw new KeylineError("NOT_TRANSACTIONAL", "Jobs of a plain queue get no signals: make it with { transactional: true }");
    });
  }
}
