import type { Database } from "../postgres/client/database.ts";
import { EventKeeper } from "../postgres/event/event-keeper.ts";
import { EventRelay } from "../postgres/event/event-relay.ts";
import { EventTable } from "../postgres/event/event-table.ts";
import { ProjectionTable } from "../postgres/event/projection-table.ts";
import type { Door } from "../runtime/door.ts";
import { KnownByName } from "../runtime/known-by-name.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Seam } from "../runtime/probe.ts";
import { checkName } from "../runtime/names.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import { ServerRun } from "../valkey/client/server-run.ts";
import { StreamKeys } from "../valkey/stream/keys.ts";
import { RecordLog } from "../valkey/stream/record-log.ts";
import { StreamLog } from "../valkey/stream/stream-log.ts";
import type { StreamTails } from "../valkey/client/stream-tails.ts";
import type { Rehearsal } from "../work/shift-parts.ts";
import { Appender } from "./appender.ts";
import { EntryReader } from "./entry-reader.ts";
import type { EventRules } from "./event-check.ts";
import { Groups } from "./group/groups.ts";
import { HotWindow } from "./hot-window.ts";
import { toStreamPolicy, type StreamOptions, type StreamPolicy } from "./options.ts";
import { PlainReading } from "./plain-reading.ts";
import { Projection } from "./projection.ts";
import { RecordReading } from "./record-reading.ts";
import { SharedPages } from "./shared-pages.ts";
import { Stream, type StreamParts } from "./stream.ts";
import { TransactionalAppender } from "./transactional-appender.ts";
import { Trimmer } from "./trimmer.ts";

export interface StreamsParts {
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

/** All streams of one Keyline, and what they share. */
export class Streams {
  readonly #parts: StreamsParts;
  readonly #known = new KnownByName<Stream<unknown, unknown, boolean>>("stream");
  readonly #run: ServerRun;
  readonly #tails: StreamTails;
  readonly #closing = new AbortController();
  readonly #trimmers = new Set<Trimmer>();
  readonly #appenders = new Set<{ drained(): Promise<void> }>();
  readonly #groups = new Set<Groups>();
  /** The keys of those that were made so far, by their names. */
  readonly keys = new Map<string, StreamKeys>();
  readonly #projections = new Set<Projection<unknown>>();
  #relay: EventRelay | undefined;
  #keeper: EventKeeper | undefined;

  constructor(parts: StreamsParts) {
    const { commands } = parts;
    this.#parts = parts;
    this.#run = new ServerRun(commands, `${parts.prefix}:run`);
    this.#tails = parts.tails;
  }

  /** The stream of that name: always the same object. Throws INVALID_NAME, and INVALID_OPTION for other options than it was made with. */
  stream(name: string, options: StreamOptions): Stream<unknown, unknown, boolean> {
    return this.#known.get(name, options, () => {
      const policy = toStreamPolicy(options);
      const rules = { ...policy, key: options.key, schema: options.schema, transactional: options.transactional === true };
      return { rules, make: () => new Stream<unknown, unknown, boolean>(name, this.#create(name, options, policy)) };
    });
  }

  get areWorking(): boolean {
    return this.#projections.size > 0 || [...this.#groups].some((groups) => groups.areWorking);
  }

  async stopWorking(options: { readonly timeout?: number } = {}): Promise<void> {
    const projections = [...this.#projections].map((projection) => projection.stop());
    await Promise.all([...projections, ...[...this.#groups].map((groups) => groups.stopWorking(options))]);
  }

  /** Resolves when everything that was appended and committed so far is on Valkey. */
  async delivered(): Promise<void> {
    await Promise.all([...this.#appenders].map((appender) => appender.drained()));
    await this.#relay?.broughtAll();
  }

  /** Writes what is left to write, and ends all iterations. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#appenders].map((appender) => appender.drained()));
    await Promise.all([...this.#trimmers].map((trimmer) => trimmer.stop()));
    await Promise.all([this.#relay?.stop(), this.#keeper?.stop()]);
  }

  #create(name: string, options: StreamOptions, policy: StreamPolicy): StreamParts {
    const { prefix, commands, logger } = this.#parts;
    const keys = new StreamKeys(prefix, name);
    this.keys.set(name, keys);
    const log = new StreamLog(commands, keys, this.#run);
    const { schema } = options;
    const reader = new EntryReader<unknown>(name, { schema, logger });
    const rules: EventRules = { subject: `stream ${name}`, schema, key: options.key, maxPayloadBytes: policy.maxPayloadBytes };
    const table = options.transactional ? new EventTable(this.#parts.requireDatabase(`the transactional stream ${name}`), name) : undefined;
    const reading = table ? new RecordReading(log, table, logger) : new PlainReading(log);
    const window = table && new HotWindow(new RecordLog(commands, keys), { table, policy, logger });
    const trimmer = new Trimmer(() => (window ? window.trim() : log.trim(policy)), { maxLength: policy.maxLength, stream: name, logger });
    const noteAppended = (entries: number): void => trimmer.noteAppended(entries);
    if (table || policy.maxLength || policy.maxAgeMs || policy.hardMaxLength || policy.hardMaxAgeMs) {
      this.#trimmers.add(trimmer);
      trimmer.start();
    }
    const transactionalAppender =
      table && window && new TransactionalAppender({ table, outlet: window, relay: this.#relayFor(table, window, policy), noteAppended });
    const appender = transactionalAppender ?? new Appender(name, { log, noteAppended });
    this.#appenders.add(appender);
    const groups = new Groups({
      stream: name,
      keys,
      connection: commands,
      tails: this.#tails,
      schema,
      hasKeys: options.key !== undefined,
      events: table,
      rehearsal: this.#parts.rehearsal,
      logger,
      door: this.#parts.door,
      seam: this.#parts.seam,
    });
    this.#groups.add(groups);
    return {
      policy,
      rules,
      appender,
      transactionalAppender,
      table,
      reading,
      reader,
      following: {
        stream: name,
        eventsKey: keys.events,
        reading,
        pages: new SharedPages(reading),
        tails: this.#tails,
        reader,
        connection: commands,
        closing: this.#closing.signal,
        logger,
      },
      groups,
      project: (projection, handler, projectOptions) => {
        const projectionName = checkName("projection", projection);
        const position = new ProjectionTable(this.#parts.requireDatabase(`projection ${projection} of stream ${name}`), {
          stream: name,
          name: projectionName,
        });
        const parts = {
          stream: name,
          name: projectionName,
          eventsKey: keys.events,
          table: position,
          reading,
          reader,
          tails: this.#tails,
          record: table,
          connection: commands,
          logger,
          onStopped: () => void this.#projections.delete(running),
        };
        const running: Projection<unknown> = new Projection<unknown>(parts, handler, projectOptions);
        this.#projections.add(running);
        return running;
      },
      door: this.#parts.door,
    };
  }

  #relayFor(table: EventTable, window: HotWindow, { recordMaxAgeMs }: StreamPolicy): EventRelay {
    const { commands, logger } = this.#parts;
    if (!this.#relay) {
      const relay = new EventRelay(table.database, logger);
      this.#relay = relay;
      relay.start();
      commands.onReady(() => relay.lookAtAll());
      this.#keeper = new EventKeeper(table.database, logger);
      this.#keeper.start();
    }
    this.#relay.add(window);
    this.#keeper?.add(table.stream, recordMaxAgeMs);
    return this.#relay;
  }
}
