import type { Database } from "../postgres/client/database.ts";
import { JobRelay } from "../postgres/job/job-relay.ts";
import { KnownByName } from "../runtime/known-by-name.ts";
import { checkName } from "../runtime/names.ts";
import type { ShapeSetup } from "../shape-setup.ts";
import { NameSet } from "../valkey/directory/name-set.ts";
import { Sightings } from "../valkey/directory/sightings.ts";
import { QueueKeys } from "../valkey/queue/keys.ts";
import { Signals } from "../valkey/queue/signals.ts";
import { createParts, type SharedParts } from "./create-parts.ts";
import { PlainFamilies } from "./families/plain-families.ts";
import { RowFamilies } from "./families/row-families.ts";
import { toPolicy, type QueueOptions, type QueuePolicy } from "./options.ts";
import { Queue } from "./queue.ts";
import type { QueueParts } from "./queue-parts.ts";
import { AheadBook } from "./schedules/ahead-book.ts";

interface Opened {
  readonly queue: Queue<unknown, unknown, boolean>;
  readonly parts: QueueParts;
}

/** All queues of one Keyline, and what they share. */
export class Queues {
  readonly #setup: ShapeSetup;
  /** What they consist of, by their names. */
  readonly parts = new Map<string, QueueParts>();
  /** What was opened without being known, by kind and name. */
  readonly #opened = new Map<string, Opened>();
  readonly #known = new KnownByName<Queue<unknown, unknown, boolean>>("queue");
  readonly #shared: SharedParts;
  #relay: JobRelay | undefined;
  #families: RowFamilies | undefined;

  readonly sightings: Sightings;

  constructor(setup: ShapeSetup) {
    this.#setup = setup;
    this.sightings = new Sightings(new NameSet(setup.commands, { prefix: setup.prefix, kind: "queues" }), setup.logger);
    const plainFamilies = new PlainFamilies({
      ...setup,
      find: (queue) => {
        const { store, canceller, listening } = this.#find(queue) ?? {};
        return store && canceller && listening && { store, canceller, adds: listening.adds };
      },
    });
    this.#shared = {
      setup,
      sightings: this.sightings,
      workers: new Set(),
      adders: new Set(),
      outlets: new Set(),
      listening: new Set(),
      plainFamilies,
      relayFor: (database) => this.#relayFor(database),
      familiesFor: (database, relay) => this.#familiesFor(database, relay),
    };
  }

  /** The queue of that name: always the same object. Throws INVALID_NAME, and INVALID_OPTION for other options than it was made with. */
  queue(name: string, options: QueueOptions): Queue<unknown, unknown, boolean> {
    return this.#known.get(name, options, () => {
      const policy = toPolicy(options);
      const rules = { ...policy, backoff: options.backoff, schema: options.schema, transactional: options.transactional === true };
      return { rules, make: () => this.#make(name, options, policy) };
    });
  }

  /** The queue that is known by that name, else a handle of that kind with options that nobody gave: it is known to nobody who asks by name. */
  open(name: string, isTransactional: boolean): Queue<unknown, unknown, boolean> {
    const known = this.#known.find(checkName("queue", name));
    if (known) return known;
    const key = `${isTransactional ? "transactional" : "plain"} ${name}`;
    const opened = this.#opened.get(key) ?? this.#open(name, isTransactional);
    this.#opened.set(key, opened);
    return opened.queue;
  }

  get areWorking(): boolean {
    return this.#shared.workers.size > 0;
  }

  async stopWorking(options: { readonly timeout?: number } = {}): Promise<void> {
    await Promise.all([...this.#shared.workers].map((worker) => worker.stop(options)));
  }

  /** Resolves when everything that was added so far is there, or has failed. */
  async drained(): Promise<void> {
    await Promise.all([...this.#shared.adders].map((adder) => adder.drained()));
  }

  /** Resolves when everything that was added and committed so far is on Valkey, also what only the relay brings there. */
  async delivered(): Promise<void> {
    await this.drained();
    await Promise.all([this.#families?.releaser.settled(), this.#shared.plainFamilies.settled()]);
    await Promise.all([...this.#shared.outlets].map((outlet) => outlet.flushed()));
    await this.#relay?.broughtAll();
  }

  /** Writes what is left to write. */
  async close(): Promise<void> {
    await Promise.all([...this.#shared.listening].map((listening) => listening.close()));
    await this.sightings.stop();
    await Promise.all([this.#families?.releaser.stop(), this.#shared.plainFamilies.stop()]);
    await Promise.all([...this.#shared.outlets].map((outlet) => outlet.flushed()));
    await this.#relay?.stop();
    await Promise.all([...this.#shared.outlets].map((outlet) => outlet.notes.stop()));
  }

  #make(name: string, options: QueueOptions, policy: QueuePolicy): Queue<unknown, unknown, boolean> {
    const parts = this.#rehearsed(createParts(name, { options, policy, isServed: true }, this.#shared));
    this.parts.set(name, parts);
    return new Queue(name, parts);
  }

  #open(name: string, isTransactional: boolean): Opened {
    const options: QueueOptions = { transactional: isTransactional };
    const parts = this.#rehearsed(createParts(name, { options, policy: toPolicy(options), isServed: false }, this.#shared));
    return { queue: new Queue(name, parts), parts };
  }

  #rehearsed(parts: QueueParts): QueueParts {
    const { rehearsal } = this.#setup;
    return rehearsal ? { ...parts, scheduleBook: new AheadBook(parts.scheduleBook, rehearsal) } : parts;
  }

  #find(name: string): QueueParts | undefined {
    return this.parts.get(name) ?? this.#opened.get(`transactional ${name}`)?.parts ?? this.#opened.get(`plain ${name}`)?.parts;
  }

  #familiesFor(database: Database, relay: JobRelay): RowFamilies {
    const { commands, prefix, logger } = this.#setup;
    return (this.#families ??= new RowFamilies(database, relay, {
      find: (queue) => this.#find(queue),
      tellRows: (queue) => new Signals(commands, new QueueKeys(prefix, queue)).tell("rows"),
      logger,
    }));
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
