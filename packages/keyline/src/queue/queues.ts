import type { Database } from "../postgres/client/database.ts";
import { DeliveryNotes } from "../postgres/job/delivery-notes.ts";
import { GateTable } from "../postgres/job/gate-table.ts";
import { JobRelay } from "../postgres/job/job-relay.ts";
import { DeadTable } from "../postgres/job/dead-table.ts";
import { JobTable } from "../postgres/job/job-table.ts";
import { ScheduleTable } from "../postgres/job/schedule-table.ts";
import type { Door } from "../runtime/door.ts";
import { KnownByName } from "../runtime/known-by-name.ts";
import type { Seam } from "../runtime/probe.ts";
import type { Logger } from "../runtime/logger.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import { QueueKeys } from "../valkey/queue/keys.ts";
import type { StreamTails } from "../valkey/client/stream-tails.ts";
import type { Rehearsal } from "../work/shift-parts.ts";
import { QueueStore } from "../valkey/queue/queue-store.ts";
import { PlainAdder, type Adder } from "./add/adder.ts";
import { JobOutlet } from "./add/job-outlet.ts";
import { Gatekeeper } from "./gates/gatekeeper.ts";
import { Canceller } from "./jobs/canceller.ts";
import { PlainJobs } from "./jobs/plain-jobs.ts";
import { JobUpdates } from "./jobs/job-updates.ts";
import { Promotion } from "./jobs/promotion.ts";
import { RowJobs } from "./jobs/row-jobs.ts";
import { UpdatedRows } from "../postgres/job/updated-rows.ts";
import { PromotedRows } from "../postgres/job/promoted-rows.ts";
import { JobRecord } from "./worker/job-record.ts";
import { LettersInRows } from "./letters/letters-in-rows.ts";
import { LettersOnValkey } from "./letters/letters-on-valkey.ts";
import { toPolicy, type QueueOptions, type QueuePolicy } from "./options.ts";
import { AheadBook } from "./schedules/ahead-book.ts";
import { PlainScheduleBook } from "./schedules/plain-schedule-book.ts";
import { Listening } from "./listening.ts";
import type { OutcomeShelf } from "./results/found.ts";
import { OutcomesInRows } from "./results/outcomes-in-rows.ts";
import { OutcomesOnValkey } from "./results/outcomes-on-valkey.ts";
import { JobSignals } from "./steps/job-signals.ts";
import { Queue } from "./queue.ts";
import { RowFamilies } from "./families/row-families.ts";
import { PlainFamilies } from "./families/plain-families.ts";
import { PlainQueueFamilies } from "./families/plain-queue-families.ts";
import { QueueFamilies } from "./families/queue-families.ts";
import type { QueueParts } from "./queue-parts.ts";
import { TransactionalAdder } from "./add/transactional-adder.ts";
import { TransactionalScheduleBook } from "./schedules/transactional-schedule-book.ts";

export interface QueuesSetup {
  readonly prefix: string;
  readonly commands: ValkeyConnection;
  /** A connection that stays silent for up to `blockMs`. */
  connect(blockMs: number): ValkeyConnection;
  readonly logger: Logger;
  readonly tails: StreamTails;
  requireDatabase(what: string): Database;
  readonly door: Door;
  readonly seam: Seam;
  readonly rehearsal: Rehearsal | undefined;
}

/** All queues of one Keyline, and what they share. */
export class Queues {
  readonly #setup: QueuesSetup;
  /** What they consist of, by their names. */
  readonly parts = new Map<string, QueueParts>();
  readonly #known = new KnownByName<Queue<unknown, unknown, boolean>>("queue");
  readonly #workers: QueueParts["workers"] = new Set();
  readonly #adders = new Set<Adder>();
  readonly #outlets = new Set<JobOutlet>();
  readonly #listening = new Set<Listening>();
  #relay: JobRelay | undefined;
  #families: RowFamilies | undefined;

  readonly #plainFamilies: PlainFamilies;

  constructor(setup: QueuesSetup) {
    this.#setup = setup;
    this.#plainFamilies = new PlainFamilies({
      ...setup,
      find: (queue) => {
        const { store, canceller, listening } = this.parts.get(queue) ?? {};
        return store && canceller && listening && { store, canceller, adds: listening.adds };
      },
    });
  }

  /** The queue of that name: always the same object. Throws INVALID_NAME, and INVALID_OPTION for other options than it was made with. */
  queue(name: string, options: QueueOptions): Queue<unknown, unknown, boolean> {
    return this.#known.get(name, options, () => {
      const policy = toPolicy(options);
      const rules = { ...policy, backoff: options.backoff, schema: options.schema, transactional: options.transactional === true };
      return { rules, make: () => this.#make(name, options, policy) };
    });
  }

  get areWorking(): boolean {
    return this.#workers.size > 0;
  }

  async stopWorking(options: { readonly timeout?: number } = {}): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop(options)));
  }

  /** Resolves when everything that was added so far is there, or has failed. */
  async drained(): Promise<void> {
    await Promise.all([...this.#adders].map((adder) => adder.drained()));
  }

  /** Resolves when everything that was added and committed so far is on Valkey, also what only the relay brings there. */
  async delivered(): Promise<void> {
    await this.drained();
    await Promise.all([this.#families?.releaser.settled(), this.#plainFamilies.settled()]);
    await Promise.all([...this.#outlets].map((outlet) => outlet.flushed()));
    await this.#relay?.broughtAll();
  }

  /** Writes what is left to write. */
  async close(): Promise<void> {
    await Promise.all([...this.#listening].map((listening) => listening.close()));
    await Promise.all([this.#families?.releaser.stop(), this.#plainFamilies.stop()]);
    await Promise.all([...this.#outlets].map((outlet) => outlet.flushed()));
    await this.#relay?.stop();
    await Promise.all([...this.#outlets].map((outlet) => outlet.notes.stop()));
  }

  #make(name: string, options: QueueOptions, policy: QueuePolicy): Queue<unknown, unknown, boolean> {
    const parts = this.#createParts(name, options, policy);
    const { rehearsal } = this.#setup;
    const rehearsed = rehearsal ? { ...parts, scheduleBook: new AheadBook(parts.scheduleBook, rehearsal) } : parts;
    this.parts.set(name, rehearsed);
    return new Queue(name, rehearsed);
  }

  #createParts(name: string, options: QueueOptions, policy: QueuePolicy): QueueParts {
    const { prefix, commands, logger, tails, rehearsal } = this.#setup;
    const store = new QueueStore(commands, new QueueKeys(prefix, name));
    const lettersOnValkey = new LettersOnValkey(store.letters);
    const common = {
      store,
      policy,
      schema: options.schema,
      logger,
      tails,
      rehearsal,
      createBlockingConnection: (blockMs: number) => this.#setup.connect(blockMs),
      workers: this.#workers,
      door: this.#setup.door,
      seam: this.#setup.seam,
    };
    const listen = (shelf: OutcomeShelf): Listening => {
      const listening = new Listening({ queue: name, store, tails, shelf, policy, logger });
      this.#listening.add(listening);
      return listening;
    };
    const gatesParts = { leaseMs: policy.leaseMs, limits: policy.limits, logger };
    if (!options.transactional) {
      const listening = listen(new OutcomesOnValkey(store));
      const adder = new PlainAdder(store, name, listening.adds);
      this.#adders.add(adder);
      const scheduleBook = new PlainScheduleBook(store, { queue: name, logger });
      const gatekeeper = new Gatekeeper(store, { ...gatesParts, table: undefined });
      const onlyPlain = {
        record: undefined,
        transactionalAdder: undefined,
        deadTable: undefined,
        signals: undefined,
        outlet: undefined,
      };
      const plainFamilies = new PlainQueueFamilies(this.#plainFamilies);
      const onCancelled = (): void => this.#plainFamilies.noteCancelled(name);
      const canceller = new Canceller(store, { gatekeeper, record: undefined, onCancelled });
      const jobs = new PlainJobs(store, { queue: name, shelf: lettersOnValkey, storeOf: (one) => this.#plainFamilies.storeOf(one) });
      const promotion = new Promotion(store, { record: undefined });
      const updates = new JobUpdates(store, { jobs, gatekeeper, record: undefined });
      return {
        ...common,
        ...onlyPlain,
        families: plainFamilies,
        plainFamilies,
        listening,
        gatekeeper,
        canceller,
        jobs,
        promotion,
        updates,
        adder,
        scheduleBook,
        shelves: [lettersOnValkey],
      };
    }
    const database = this.#setup.requireDatabase(`the transactional queue ${name}`);
    const relay = this.#relayFor(database);
    const table = new JobTable(database, name);
    const notes = new DeliveryNotes(table, logger);
    const gatekeeper = new Gatekeeper(store, { ...gatesParts, table: new GateTable(database, name) });
    const outlet = new JobOutlet(store, { table, notes, relay, gatekeeper, logger });
    this.#outlets.add(outlet);
    relay.add(outlet);
    const listening = listen(new OutcomesInRows(table.outcomes, store));
    const transactionalAdder = new TransactionalAdder(table, { outlet, relay, adds: listening.adds, logger });
    this.#adders.add(transactionalAdder);
    const { adder: familyAdder, releaser } = this.#familiesFor(database, relay);
    const families = new QueueFamilies(familyAdder, releaser);
    const record = new JobRecord(table, { notes, store, families, logger });
    const scheduleBook = new TransactionalScheduleBook(new ScheduleTable(database, name), { outlet, store, queue: name, logger });
    const deadTable = new DeadTable(database, name);
    const shelves = [new LettersInRows(deadTable, outlet), lettersOnValkey];
    const canceller = new Canceller(store, {
      gatekeeper,
      record: { database, rows: table.cancelled },
      onCancelled: (ids) => releaser.noteCancelled(name, ids),
    });
    const signals = new JobSignals(table.parked, outlet);
    const promotion = new Promotion(store, { record: { rows: new PromotedRows(database, name), outlet } });
    const jobs = RowJobs.of(store, { database, queue: name, outcomes: table.outcomes });
    const updates = new JobUpdates(store, { jobs, gatekeeper, record: { database, rows: new UpdatedRows(database, name), outlet } });
    const adders = { adder: transactionalAdder, transactionalAdder };
    return {
      ...common,
      ...adders,
      listening,
      gatekeeper,
      canceller,
      jobs,
      promotion,
      updates,
      record,
      scheduleBook,
      deadTable,
      signals,
      families,
      plainFamilies: undefined,
      outlet,
      shelves,
    };
  }

  #familiesFor(database: Database, relay: JobRelay): RowFamilies {
    return (this.#families ??= new RowFamilies(database, relay, { find: (queue) => this.parts.get(queue), logger: this.#setup.logger }));
  }

  #relayFor(database: Database): JobRelay {
    if (!this.#relay) {
      const relay = new JobRelay(database, this.#setup.logger);
      this.#relay = relay;
      this.#setup.commands.onReady(() => relay.lookAtEpochs());
    }
    return this.#relay;
  }
}
