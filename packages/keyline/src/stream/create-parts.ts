import type { EventRelay } from "../postgres/event/event-relay.ts";
import { Figures } from "../figures/figures.ts";
import { FigureTable } from "../postgres/figures/figure-table.ts";
import { EventTable } from "../postgres/event/event-table.ts";
import { ProjectionTable } from "../postgres/event/projection-table.ts";
import { withFields } from "../runtime/logger.ts";
import { checkName } from "../runtime/names.ts";
import type { ShapeSetup } from "../shape-setup.ts";
import { FigureLog } from "../valkey/figures/figure-log.ts";
import type { ServerRun } from "../valkey/client/server-run.ts";
import { keysTrait, transactionalTrait } from "../valkey/directory/name-set.ts";
import type { Sightings } from "../valkey/directory/sightings.ts";
import { StreamKeys } from "../valkey/stream/keys.ts";
import { RecordLog } from "../valkey/stream/record-log.ts";
import { StreamLog } from "../valkey/stream/stream-log.ts";
import { Appender } from "./appender.ts";
import { EntryReader } from "./entry-reader.ts";
import type { EventRules } from "./event-check.ts";
import { Groups } from "./group/groups.ts";
import { HotWindow } from "./hot-window.ts";
import type { StreamOptions, StreamPolicy } from "./options.ts";
import { PlainReading } from "./plain-reading.ts";
import { Projection } from "./projection.ts";
import { RecordReading } from "./record-reading.ts";
import { SharedPages } from "./shared-pages.ts";
import type { StreamParts } from "./stream.ts";
import { TransactionalAppender } from "./transactional-appender.ts";
import { StreamTally } from "./stream-tally.ts";
import { Trimmer } from "./trimmer.ts";

/** What all streams of one Keyline share. */
export interface SharedParts {
  readonly setup: ShapeSetup;
  readonly sightings: Sightings;
  readonly run: ServerRun;
  /** Ends what follows. */
  readonly closing: AbortSignal;
  readonly keys: Map<string, StreamKeys>;
  readonly trimmers: Set<Trimmer>;
  readonly appenders: Set<{ drained(): Promise<void> }>;
  readonly groups: Set<Groups>;
  readonly tallies: Set<StreamTally>;
  readonly projections: Set<Projection<unknown>>;
  relayFor(table: EventTable): EventRelay;
  /** Keeps the record of a stream for so long; for ever where that is undefined. */
  keep(stream: string, maxAgeMs: number | undefined): void;
}

interface Made {
  readonly options: StreamOptions;
  readonly policy: StreamPolicy;
  /** It is looked after from the beginning, and not only from its first use on; and it is trimmed. */
  readonly isServed: boolean;
}

/** What a stream of that name does its work with. Throws POSTGRES_REQUIRED for a transactional one that `isServed`. */
export function createParts(name: string, { options, policy, isServed }: Made, shared: SharedParts): StreamParts {
  const { prefix, commands, tails, door, seam, rehearsal } = shared.setup;
  const logger = withFields(shared.setup.logger, { stream: name });
  const counts = seam.counters.stream(name);
  const keys = new StreamKeys(prefix, name);
  if (isServed) shared.keys.set(name, keys);
  const log = new StreamLog(commands, keys, shared.run);
  const { schema } = options;
  const reader = new EntryReader<unknown>(name, { schema, logger, seam });
  const rules: EventRules = { subject: `stream ${name}`, schema, key: options.key, maxPayloadBytes: policy.maxPayloadBytes };
  const { record, requireDatabase } = shared.setup;
  const database = isServed && options.transactional ? requireDatabase(`the transactional stream ${name}`) : record;
  const table = options.transactional ? new EventTable(database, name) : undefined;
  const reading = table ? new RecordReading(log, table, logger) : new PlainReading(log);
  const window = table && new HotWindow(new RecordLog(commands, keys), { table, policy, logger });
  const trimmer = new Trimmer(() => (window ? window.trim() : log.trim(policy)), { maxLength: policy.maxLength, stream: name, logger });
  const relay = table && shared.relayFor(table);
  const serve = (): void => {
    if (window && relay && !relay.serves(name)) relay.add(window);
  };
  if (isServed && window) relay?.add(window);
  const traits = [...(table ? [transactionalTrait] : []), ...(options.key ? [keysTrait] : [])];
  const sighting = shared.sightings.of({ name, traits }, isServed ? undefined : serve);
  // How much is kept is for those to say who know it.
  if (isServed && hasLimits(policy, table)) {
    if (table) shared.keep(name, policy.recordMaxAgeMs);
    shared.trimmers.add(trimmer);
    trimmer.start();
  }
  const figures = new Figures(new FigureLog(commands, keys.rates), {
    table: shared.setup.database && new FigureTable(shared.setup.database, "stream", name),
    logger,
  });
  const tally = new StreamTally(figures, { counts, logger });
  shared.tallies.add(tally);
  const noteAppended = (entries: number): void => {
    tally.noteAppended(entries);
    counts.appended += entries;
    if (isServed) trimmer.noteAppended(entries);
  };
  const transactionalAppender = table && window && relay && new TransactionalAppender({ table, outlet: window, relay, noteAppended });
  const appender = transactionalAppender ?? new Appender(name, { log, noteAppended });
  shared.appenders.add(appender);
  const groups = new Groups({
    stream: name,
    keys,
    connection: commands,
    tails: tails,
    schema,
    hasKeys: options.key !== undefined,
    events: table,
    sighting,
    tally,
    rehearsal,
    logger,
    door,
    seam,
  });
  shared.groups.add(groups);
  return {
    policy,
    rules,
    sighting,
    appender,
    transactionalAppender,
    table,
    reading,
    reader,
    figures,
    following: {
      stream: name,
      eventsKey: keys.events,
      reading,
      pages: new SharedPages(reading),
      tails: tails,
      reader,
      connection: commands,
      closing: shared.closing,
      logger,
    },
    groups,
    project: (projection, handler, projectOptions) => {
      const projectionName = checkName("projection", projection);
      const position = new ProjectionTable(shared.setup.requireDatabase(`projection ${projection} of stream ${name}`), {
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
        tails: tails,
        record: table,
        connection: commands,
        logger,
        seam,
        onStopped: () => {
          shared.projections.delete(running);
          release();
        },
      };
      const running: Projection<unknown> = new Projection<unknown>(parts, handler, projectOptions);
      shared.projections.add(running);
      const release = sighting.hold();
      return running;
    },
    door,
    seam,
  };
}

function hasLimits({ maxLength, maxAgeMs, hardMaxLength, hardMaxAgeMs }: StreamPolicy, table: EventTable | undefined): boolean {
  return table !== undefined || [maxLength, maxAgeMs, hardMaxLength, hardMaxAgeMs].some((limit) => limit !== undefined);
}
