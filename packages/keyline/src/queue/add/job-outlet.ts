import { setImmediate } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { JobRow } from "../../postgres/job/job-row.ts";
import type { JobTable } from "../../postgres/job/job-table.ts";
import type { DeliveryNotes } from "../../postgres/job/delivery-notes.ts";
import type { JobRelay } from "../../postgres/job/job-relay.ts";
import type { Outlet } from "../../postgres/job/outlet.ts";
import { checkDatabaseRights } from "../../postgres/client/rights.ts";
import { lastingFaultOf } from "../../valkey/client/faults.ts";
import { checkRights } from "../../valkey/client/rights.ts";
import { ElementBatch } from "../../valkey/queue/element-batch.ts";
import type { Gatekeeper } from "../gates/gatekeeper.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { committedLatest, committedRow, type Committed } from "./committed.ts";
import { readEverywhere } from "./everywhere.ts";
import { PresentElements } from "./present-elements.ts";

const firstWaitMs = 1_000;
const pushPage = 500;
const pushLength = 1_048_576;

/**
 * Brings the committed jobs of a transactional queue to Valkey: at once those whose COMMIT this process saw, all of one turn of the
 * event loop together, and for the relay and the rebuild those that they find.
 */
export class JobOutlet implements Outlet {
  readonly table: JobTable;
  readonly notes: DeliveryNotes;
  readonly #store: QueueStore;
  readonly #relay: JobRelay;
  readonly #gatekeeper: Gatekeeper;
  readonly #logger: Logger;
  readonly #flushes = new Set<Promise<void>>();
  #isChecked = false;
  #hasWaited = false;
  #committed: Committed[] = [];
  /** Jobs of transactions that have changed them after they had added them. */
  readonly #changed = new Set<string>();
  /** The queue's epoch was written once; it is missing only after a loss. */
  #hasEpoch = false;

  constructor(
    store: QueueStore,
    {
      table,
      notes,
      relay,
      gatekeeper,
      logger,
    }: {
      readonly gatekeeper: Gatekeeper;
      readonly table: JobTable;
      readonly notes: DeliveryNotes;
      readonly relay: JobRelay;
      readonly logger: Logger;
    },
  ) {
    this.table = table;
    this.notes = notes;
    this.#store = store;
    this.#relay = relay;
    this.#gatekeeper = gatekeeper;
    this.#logger = logger;
  }

  get isOpen(): boolean {
    return this.#store.connection.isReady;
  }

  epoch(): Promise<string> {
    return this.#store.memory.epoch(randomTag(12));
  }

  /** Nothing is known that would keep what is committed from being delivered. */
  get isChecked(): boolean {
    return this.#isChecked;
  }

  /**
   * Throws where what is committed could never be delivered, or never be settled: before the first job is added. Where Valkey is away it is asked again with
   * the next one, which does not wait for it.
   */
  async check({ isInTransaction }: { readonly isInTransaction: boolean }): Promise<void> {
    this.table.database.require();
    // A transaction must not wait for a second connection; what its role may not do its own statement tells.
    if (!isInTransaction) await checkDatabaseRights(this.table.database);
    const { connection, keys } = this.#store;
    try {
      await connection.ensureReady(this.#hasWaited ? 0 : firstWaitMs);
      await checkRights(connection, "deliver", keys.rights);
      await this.epoch();
      this.#isChecked = true;
    } catch (error) {
      const fault = lastingFaultOf(error);
      if (fault) throw fault;
    } finally {
      this.#hasWaited = true;
    }
  }

  /** Pushes jobs that were just committed. Where that fails the relay finds them. */
  pushCommitted(jobs: readonly Committed[]): void {
    if (jobs.length === 0) return;
    if (this.#committed.length === 0) setImmediate(() => this.#flushSoon());
    for (const job of jobs) {
      // The relay may be at it, or whoever has woken it too: two elements of a job may both run.
      if (job.parks !== undefined && !this.notes.begin(job.id, job.parks)) continue;
      this.#committed.push(this.#changed.size > 0 && this.#changed.has(job.id) ? committedLatest(job) : job);
    }
  }

  /** The row of this job says what it is, and not what it was added with. Returns what ends that. */
  expectChange(id: string): () => void {
    this.#changed.add(id);
    return () => void this.#changed.delete(id);
  }

  /** Resolves when everything that was committed so far is pushed or left to the relay. */
  async flushed(): Promise<void> {
    this.#flushSoon();
    await Promise.all(this.#flushes);
  }

  restoreGates(): Promise<void> {
    return this.#gatekeeper.restore();
  }

  async deliver(jobs: readonly JobRow[]): Promise<string> {
    const epoch = (await this.#store.memory.writtenEpoch()) ?? (await this.epoch());
    const committed = jobs.map((job) => committedRow(job, { isAgain: true }));
    for (const page of pagesOf(committed, ({ element }) => element)) await this.#send(page);
    return epoch;
  }

  async held(): Promise<PresentElements> {
    const elements = new PresentElements();
    await readEverywhere(this.#store, async (key) => {
      for await (const found of this.#store.reads.states(key)) for (const state of found) elements.note(state);
    });
    return elements;
  }

  #flushSoon(): void {
    const flush = this.#flush().finally(() => this.#flushes.delete(flush));
    this.#flushes.add(flush);
  }

  async #flush(): Promise<void> {
    const jobs = this.#committed;
    this.#committed = [];
    for (const page of pagesOf(jobs, (job) => job.element)) {
      try {
        const epoch = await this.#push(page);
        noteJoint(page, epoch ?? undefined);
        if (epoch !== null) {
          this.#note(epoch, page);
          continue;
        }
        this.#relay.lookAtEpochs();
      } catch (error) {
        this.#logger.debug(
          { error: toError(error).message, queue: this.table.queue },
          "committed jobs could not be pushed; the relay brings them",
        );
        noteJoint(page, undefined);
        this.#relay.expectRows();
      }
      this.#end(page);
    }
  }

  #note(epoch: string, page: readonly Committed[]): void {
    const parked = page.flatMap(({ id, parks }) => (parks === undefined ? [] : [{ id, parks }]));
    const others = page.filter(({ parks, within }) => parks === undefined && within === undefined);
    for (const [redrive, some] of Map.groupBy(others, (job) => job.redrive)) {
      this.notes.note(
        epoch,
        some.map(({ id }) => id),
        redrive,
      );
    }
    if (parked.length === 0) return;
    this.table.parked
      .noteAll(parked, epoch)
      .catch((error: unknown) => {
        this.#logger.debug(
          { error: toError(error).message, queue: this.table.queue },
          "deliveries could not be noted; the relay repeats them",
        );
      })
      .finally(() => this.#end(page));
  }

  #end(page: readonly Committed[]): void {
    for (const { id, parks } of page) if (parks !== undefined) this.notes.end(id, parks);
  }

  /** Returns the epoch as it was before the push: on one connection the first of two commands is done first. */
  async #push(jobs: readonly Committed[]): Promise<string | null> {
    if (!this.#hasEpoch) {
      const epoch = await this.epoch();
      this.#hasEpoch = true;
      await this.#send(jobs);
      return epoch;
    }
    const [epoch] = await Promise.all([this.#store.memory.writtenEpoch(), this.#send(jobs)]);
    return epoch;
  }

  // On one connection what is sent first is done first: they are there in their order.
  async #send(jobs: readonly Committed[]): Promise<void> {
    const sends: Promise<unknown>[] = [];
    for (let first = 0, end; first < jobs.length; first = end) {
      const hasPlace = jobs[first]?.place !== undefined;
      const next = jobs.findIndex(({ place }, index) => index > first && (place !== undefined) !== hasPlace);
      end = next < 0 ? jobs.length : next;
      sends.push(this.#sendAlike(first === 0 && next < 0 ? jobs : jobs.slice(first, end), hasPlace));
    }
    await Promise.all(sends);
  }

  async #sendAlike(jobs: readonly Committed[], hasPlace: boolean): Promise<void> {
    const { adds } = this.#store;
    if (hasPlace) await adds.place(jobs.flatMap(({ place }) => (place ? [place()] : [])));
    else await adds.push(ElementBatch.of(jobs.map(({ element }) => element)));
  }
}

/** Without an epoch it is not known that they were pushed. */
function noteJoint(page: readonly Committed[], epoch: string | undefined): void {
  for (const { within } of page) within?.notePushed(epoch);
}

/** Pages that are neither too many commands nor too much for one. */
function* pagesOf<Item>(items: readonly Item[], textOf: (item: Item) => string): Generator<Item[]> {
  let page: Item[] = [];
  let length = 0;
  for (const item of items) {
    page.push(item);
    length += textOf(item).length;
    if (page.length < pushPage && length < pushLength) continue;
    yield page;
    page = [];
    length = 0;
  }
  if (page.length > 0) yield page;
}
