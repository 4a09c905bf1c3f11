import type { Database } from "../postgres/client/database.ts";
import { Figures } from "../figures/figures.ts";
import { FigureTable } from "../postgres/figures/figure-table.ts";
import { ChangedWithin } from "../postgres/job/changed-within.ts";
import { DeadTable } from "../postgres/job/dead-table.ts";
import { DeliveryNotes } from "../postgres/job/delivery-notes.ts";
import { GateTable } from "../postgres/job/gate-table.ts";
import type { JobRelay } from "../postgres/job/job-relay.ts";
import { JobTable } from "../postgres/job/job-table.ts";
import { PromotedRows } from "../postgres/job/promoted-rows.ts";
import { ScheduleTable } from "../postgres/job/schedule-table.ts";
import { UpdatedRows } from "../postgres/job/updated-rows.ts";
import { withFields } from "../runtime/logger.ts";
import type { ShapeSetup } from "../shape-setup.ts";
import { transactionalTrait } from "../valkey/directory/name-set.ts";
import type { Sighting, Sightings } from "../valkey/directory/sightings.ts";
import { QueueKeys } from "../valkey/queue/keys.ts";
import { QueueStore } from "../valkey/queue/queue-store.ts";
import { PlainAdder, type Adder } from "./add/adder.ts";
import { JobOutlet } from "./add/job-outlet.ts";
import { TransactionalAdder } from "./add/transactional-adder.ts";
import type { PlainFamilies } from "./families/plain-families.ts";
import { PlainQueueFamilies } from "./families/plain-queue-families.ts";
import { QueueFamilies } from "./families/queue-families.ts";
import type { RowFamilies } from "./families/row-families.ts";
import { Gatekeeper } from "./gates/gatekeeper.ts";
import { Canceller } from "./jobs/canceller.ts";
import { JobUpdates } from "./jobs/job-updates.ts";
import { PlainJobs } from "./jobs/plain-jobs.ts";
import { Promotion } from "./jobs/promotion.ts";
import { RowJobs } from "./jobs/row-jobs.ts";
import { LettersInRows } from "./letters/letters-in-rows.ts";
import { LettersOnValkey } from "./letters/letters-on-valkey.ts";
import { StrayLetters } from "./letters/stray-letters.ts";
import { Listening } from "./listening.ts";
import type { QueueOptions, QueuePolicy } from "./options.ts";
import type { QueueParts } from "./queue-parts.ts";
import type { OutcomeShelf } from "./results/found.ts";
import { OutcomesInRows } from "./results/outcomes-in-rows.ts";
import { OutcomesOnValkey } from "./results/outcomes-on-valkey.ts";
import { PlainScheduleBook } from "./schedules/plain-schedule-book.ts";
import { TransactionalScheduleBook } from "./schedules/transactional-schedule-book.ts";
import { JobSignals } from "./steps/job-signals.ts";
import { JobRecord } from "./worker/job-record.ts";

/** What all queues of one Keyline share. */
export interface SharedParts {
  readonly setup: ShapeSetup;
  readonly sightings: Sightings;
  readonly workers: QueueParts["workers"];
  readonly adders: Set<Adder>;
  readonly outlets: Set<JobOutlet>;
  readonly listening: Set<Listening>;
  readonly plainFamilies: PlainFamilies;
  relayFor(database: Database): JobRelay;
  familiesFor(database: Database, relay: JobRelay): RowFamilies;
}

interface Made {
  readonly options: QueueOptions;
  readonly policy: QueuePolicy;
  /** Its committed jobs are looked after from the beginning, and not only from its first use on. */
  readonly isServed: boolean;
}

/** A queue of that name, and what it does its work with. Throws POSTGRES_REQUIRED for a transactional one that `isServed`. */
export function createParts(name: string, { options, policy, isServed }: Made, shared: SharedParts): QueueParts {
  const { prefix, commands, tails, rehearsal } = shared.setup;
  const logger = withFields(shared.setup.logger, { queue: name });
  const counts = shared.setup.seam.counters.queue(name);
  const { sightings } = shared;
  const store = new QueueStore(commands, new QueueKeys(prefix, name));
  const lettersOnValkey = new LettersOnValkey(store.letters);
  const common = {
    store,
    policy,
    schema: options.schema,
    logger,
    tails,
    rehearsal,
    createBlockingConnection: (blockMs: number) => shared.setup.connect(blockMs),
    workers: shared.workers,
    door: shared.setup.door,
    seam: shared.setup.seam,
  };
  const listen = (shelf: OutcomeShelf, sighting: Sighting, deadTable?: DeadTable): Listening => {
    const { database } = shared.setup;
    const figures = new Figures(store.figures, { table: database && new FigureTable(database, "queue", name), logger });
    const listening = new Listening({ queue: name, store, tails, shelf, policy, sighting, figures, deadTable, counts, logger });
    shared.listening.add(listening);
    return listening;
  };
  const gatesParts = { leaseMs: policy.leaseMs, limits: policy.limits, logger };
  if (!options.transactional) {
    const sighting = sightings.of({ name, traits: [] });
    const listening = listen(new OutcomesOnValkey(store), sighting);
    const adder = new PlainAdder(store, name, listening.adds);
    shared.adders.add(adder);
    const scheduleBook = new PlainScheduleBook(store, { queue: name, logger });
    const gatekeeper = new Gatekeeper(store, { ...gatesParts, table: undefined });
    const onlyPlain = {
      record: undefined,
      transactionalAdder: undefined,
      deadTable: undefined,
      signals: undefined,
      outlet: undefined,
    };
    const plainFamilies = new PlainQueueFamilies(shared.plainFamilies);
    const onCancelled = (): void => shared.plainFamilies.noteCancelled(name);
    const canceller = new Canceller(store, { gatekeeper, record: undefined, onCancelled, count: countCancelled(listening) });
    const jobs = new PlainJobs(store, { queue: name, shelf: lettersOnValkey, storeOf: (one) => shared.plainFamilies.storeOf(one) });
    const promotion = new Promotion(store, { record: undefined });
    const updates = new JobUpdates(store, { jobs, gatekeeper, record: undefined });
    return {
      ...common,
      ...onlyPlain,
      families: plainFamilies,
      plainFamilies,
      listening,
      sighting,
      gatekeeper,
      canceller,
      jobs,
      promotion,
      updates,
      adder,
      scheduleBook,
      shelves: [lettersOnValkey],
      readable: undefined,
    };
  }
  const database = isServed ? shared.setup.requireDatabase(`the transactional queue ${name}`) : shared.setup.record;
  const relay = shared.relayFor(database);
  const table = new JobTable(database, name, counts);
  const notes = new DeliveryNotes(table, logger);
  const gatekeeper = new Gatekeeper(store, { ...gatesParts, table: new GateTable(database, name) });
  const outlet = new JobOutlet(store, { table, notes, relay, gatekeeper, logger });
  shared.outlets.add(outlet);
  if (isServed) relay.add(outlet, policy.leaseMs);
  const sighting = sightings.of(
    { name, traits: [transactionalTrait] },
    isServed ? undefined : () => relay.serves(name) || relay.add(outlet, policy.leaseMs),
  );
  const deadTable = new DeadTable(database, name);
  const listening = listen(new OutcomesInRows(table.outcomes, store), sighting, deadTable);
  const transactionalAdder = new TransactionalAdder(table, { outlet, relay, adds: listening.adds, logger });
  shared.adders.add(transactionalAdder);
  const { adder: familyAdder, releaser } = shared.familiesFor(database, relay);
  const families = new QueueFamilies(familyAdder, releaser);
  const record = new JobRecord(table, { notes, store, families, relay, logger });
  const scheduleBook = new TransactionalScheduleBook(new ScheduleTable(database, name), { outlet, store, queue: name, logger });
  const lettersInRows = new LettersInRows(deadTable, outlet);
  const canceller = new Canceller(store, {
    gatekeeper,
    record: { database, rows: table.cancelled },
    onCancelled: (ids) => releaser.noteCancelled(name, ids),
    count: countCancelled(listening),
  });
  const signals = new JobSignals(table.parked, outlet);
  const promotion = new Promotion(store, { record: { rows: new PromotedRows(database, name), outlet } });
  const jobs = RowJobs.of(store, { database, queue: name, outcomes: table.outcomes });
  const updates = new JobUpdates(store, {
    jobs,
    gatekeeper,
    record: { database, rows: new UpdatedRows(database, name), within: new ChangedWithin(name), outlet, relay },
  });
  const adders = { adder: transactionalAdder, transactionalAdder };
  return {
    ...common,
    ...adders,
    listening,
    sighting,
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
    shelves: [lettersInRows, lettersOnValkey],
    readable: [lettersInRows, new StrayLetters(store.connection, lettersOnValkey)],
  };
}

const countCancelled =
  ({ tally }: Listening) =>
  (cancelled: number): void =>
    tally.noteCancelled(cancelled);
