import { EventKeeper } from "../postgres/event/event-keeper.ts";
import { EventRelay } from "../postgres/event/event-relay.ts";
import type { EventTable } from "../postgres/event/event-table.ts";
import { KnownByName } from "../runtime/known-by-name.ts";
import { checkName } from "../runtime/names.ts";
import type { ShapeSetup } from "../shape-setup.ts";
import { ServerRun } from "../valkey/client/server-run.ts";
import { NameSet } from "../valkey/directory/name-set.ts";
import { Sightings } from "../valkey/directory/sightings.ts";
import type { StreamKeys } from "../valkey/stream/keys.ts";
import { createParts, type SharedParts } from "./create-parts.ts";
import { toStreamPolicy, type StreamOptions } from "./options.ts";
import { Stream } from "./stream.ts";

interface OpenedKind {
  readonly transactional: boolean;
  readonly hasKeys: boolean;
}

/** All streams of one Keyline, and what they share. */
export class Streams {
  readonly #setup: ShapeSetup;
  readonly #known = new KnownByName<Stream<unknown, unknown, boolean>>("stream");
  /** What was opened without being known, by kind and name. */
  readonly #opened = new Map<string, Stream<unknown, unknown, boolean>>();
  readonly #shared: SharedParts;
  readonly #closing = new AbortController();
  /** The keys of those that were made so far, by their names. */
  readonly keys = new Map<string, StreamKeys>();
  #relay: EventRelay | undefined;
  #keeper: EventKeeper | undefined;

  readonly sightings: Sightings;

  constructor(setup: ShapeSetup) {
    this.#setup = setup;
    this.sightings = new Sightings(new NameSet(setup.commands, { prefix: setup.prefix, kind: "streams" }), setup.logger);
    this.#shared = {
      setup,
      sightings: this.sightings,
      run: new ServerRun(setup.commands, `${setup.prefix}:run`),
      closing: this.#closing.signal,
      keys: this.keys,
      trimmers: new Set(),
      appenders: new Set(),
      groups: new Set(),
      tallies: new Set(),
      projections: new Set(),
      relayFor: (table) => this.#relayFor(table),
      keep: (stream, maxAgeMs) => this.#keeper?.add(stream, maxAgeMs),
    };
  }

  /** The stream of that name: always the same object. Throws INVALID_NAME, and INVALID_OPTION for other options than it was made with. */
  stream(name: string, options: StreamOptions): Stream<unknown, unknown, boolean> {
    return this.#known.get(name, options, () => {
      const policy = toStreamPolicy(options);
      const rules = { ...policy, key: options.key, schema: options.schema, transactional: options.transactional === true };
      return {
        rules,
        make: () => new Stream<unknown, unknown, boolean>(name, createParts(name, { options, policy, isServed: true }, this.#shared)),
      };
    });
  }

  /** The stream that is known by that name, else a handle of that kind with options that nobody gave: it is known to nobody who asks by name, and trims nothing. */
  open(name: string, { transactional, hasKeys }: OpenedKind): Stream<unknown, unknown, boolean> {
    const known = this.#known.find(checkName("stream", name));
    if (known) return known;
    const options: StreamOptions = { transactional, ...(hasKeys ? { key: unknownKey } : {}) };
    const kind = `${transactional} ${hasKeys} ${name}`;
    const opened =
      this.#opened.get(kind) ??
      new Stream(name, createParts(name, { options, policy: toStreamPolicy(options), isServed: false }, this.#shared));
    this.#opened.set(kind, opened);
    return opened;
  }

  get areWorking(): boolean {
    return this.#shared.projections.size > 0 || [...this.#shared.groups].some((groups) => groups.areWorking);
  }

  async stopWorking(options: { readonly timeout?: number } = {}): Promise<void> {
    const projections = [...this.#shared.projections].map((projection) => projection.stop());
    await Promise.all([...projections, ...[...this.#shared.groups].map((groups) => groups.stopWorking(options))]);
  }

  /** Resolves when everything that was appended and committed so far is on Valkey. */
  async delivered(): Promise<void> {
    await Promise.all([...this.#shared.appenders].map((appender) => appender.drained()));
    await this.#relay?.broughtAll();
  }

  /** Writes what is left to write, and ends all iterations. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#shared.appenders].map((appender) => appender.drained()));
    await Promise.all([this.sightings.stop(), ...[...this.#shared.tallies].map((tally) => tally.stop())]);
    await Promise.all([...this.#shared.trimmers].map((trimmer) => trimmer.stop()));
    await Promise.all([this.#relay?.stop(), this.#keeper?.stop()]);
  }

  #relayFor(table: EventTable): EventRelay {
    const { commands } = this.#setup;
    if (!this.#relay) {
      const relay = new EventRelay(table.database, this.#setup.logger);
      this.#relay = relay;
      relay.start();
      commands.onReady(() => relay.lookAtAll());
      this.#keeper = new EventKeeper(table.database, this.#setup.logger);
      if (!table.database.isNowhere) this.#keeper.start();
    }
    return this.#relay;
  }
}

function unknownKey(): never {
  throw new Error("nobody has told this process what its keys are; make the stream with { key } to append to it");
}
