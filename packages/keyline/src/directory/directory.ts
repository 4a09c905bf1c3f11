import type { Channel } from "../channel/channel.ts";
import type { Channels } from "../channel/channels.ts";
import type { Database } from "../postgres/client/database.ts";
import { recordedQueues, recordedStreams } from "../postgres/client/recorded-names.ts";
import type { Queue } from "../queue/queue.ts";
import type { Queues } from "../queue/queues.ts";
import type { Door } from "../runtime/door.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Stream } from "../stream/stream.ts";
import type { Streams } from "../stream/streams.ts";
import { isConnectionError } from "../valkey/client/connection.ts";
import { lastingFaultOf } from "../valkey/client/faults.ts";
import { historyOf, keysTrait, transactionalTrait, type NamedThing, type SeenName } from "../valkey/directory/name-set.ts";
import type { Sightings } from "../valkey/directory/sightings.ts";
import { gather, type Known } from "./seen.ts";

interface Entry {
  readonly name: string;
  /**
   * When somebody used it last, in milliseconds since 1970, give or take a minute. Undefined where that is not known: PostgreSQL has something of it and Valkey was emptied,
   * or Valkey is away.
   */
  readonly lastSeenAt: number | undefined;
}

export interface QueueEntry extends Entry {
  readonly transactional: boolean;
  /**
   * The queue: the object that this Keyline has by that name, else one with the default options, which `keyline.queue` does not know. A transactional one without `postgres` tells what
   * Valkey has of it (`counts({ known: true })`, `workers`, `rates`), and throws POSTGRES_REQUIRED for the rest.
   */
  open(): Queue<unknown, unknown, boolean>;
}

export interface StreamEntry extends Entry {
  readonly transactional: boolean;
  /** Its entries have keys, as far as is known. */
  readonly hasKeys: boolean;
  /**
   * The stream, as for a queue. One that this process did not know before trims nothing, and appends nothing where its entries have keys: how they are made only its `key` says.
   */
  open(): Stream<unknown, unknown, boolean>;
}

export interface ChannelEntry extends Entry {
  readonly hasHistory: boolean;
  /** The channel, as for a queue, with the history that it has. */
  open(): Channel<unknown>;
}

interface DirectoryParts {
  readonly queues: Queues;
  readonly streams: Streams;
  readonly channels: Channels;
  readonly database: Database | undefined;
  readonly door: Door;
  readonly logger: Logger;
}

/**
 * What there is behind this prefix, whichever process uses it. Whoever adds to a queue, works on it, declares a schedule, appends to a stream or consumes it says so, once a minute at
 * most; a name that nobody has used for 30 days is dropped. While Valkey is away it is what this process has read last, and has used itself; while PostgreSQL is away what only that knows is left out.
 */
export class Directory {
  readonly #parts: DirectoryParts;

  /** @internal */
  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  /** All queues that are in use, and transactional ones that have jobs or schedules, by name. Throws VALKEY_UNAVAILABLE where it has never been read, and PostgreSQL is not there either. */
  queues(): Promise<QueueEntry[]> {
    const { queues, door } = this.#parts;
    return door.accept(async () => {
      const recorded = async (database: Database): Promise<NamedThing[]> =>
        (await recordedQueues(database)).map((name) => ({ name, traits: [transactionalTrait] }));
      return (await this.#read(queues.sightings, { recorded })).map(({ name, traits, lastSeenAt }) => {
        const transactional = traits.includes(transactionalTrait);
        return { name, transactional, lastSeenAt, open: () => this.#open(() => queues.open(name, transactional)) };
      });
    });
  }

  /** All streams that are in use, and transactional ones that have events, by name. Throws VALKEY_UNAVAILABLE where it has never been read, and PostgreSQL is not there either. */
  streams(): Promise<StreamEntry[]> {
    const { streams, door } = this.#parts;
    return door.accept(async () => {
      const recorded = async (database: Database): Promise<NamedThing[]> =>
        (await recordedStreams(database)).map(({ name, hasKeys }) => ({
          name,
          traits: [transactionalTrait, ...(hasKeys ? [keysTrait] : [])],
        }));
      return (await this.#read(streams.sightings, { recorded, shared: [keysTrait] })).map(({ name, traits, lastSeenAt }) => {
        const kind = { transactional: traits.includes(transactionalTrait), hasKeys: traits.includes(keysTrait) };
        return { name, ...kind, lastSeenAt, open: () => this.#open(() => streams.open(name, kind)) };
      });
    });
  }

  /** The channels that somebody lists (`channel.list()`), by name. Throws VALKEY_UNAVAILABLE where it has never been read. */
  channels(): Promise<ChannelEntry[]> {
    const { channels, door } = this.#parts;
    return door.accept(async () => {
      return (await this.#read(channels.sightings, {})).map(({ name, traits, lastSeenAt }) => {
        const history = historyOf(traits);
        return { name, hasHistory: history !== undefined, lastSeenAt, open: () => this.#open(() => channels.open(name, history)) };
      });
    });
  }

  #open<Thing>(open: () => Thing): Thing {
    this.#parts.door.check();
    return open();
  }

  async #read(
    sightings: Sightings,
    { recorded, shared }: { readonly recorded?: (database: Database) => Promise<NamedThing[]>; readonly shared?: readonly string[] },
  ): Promise<Known[]> {
    const inRecord = recorded && (await this.#readRecord(recorded));
    const onValkey = await this.#readValkey(sightings, { hasRecord: inRecord !== undefined });
    const here = onValkey ? sightings.inUse() : sightings.used();
    return gather({ onValkey: onValkey ?? sightings.lastRead ?? [], here, inRecord: inRecord ?? [] }, shared);
  }

  /** Undefined where there is nobody to ask. */
  async #readRecord(read: (database: Database) => Promise<NamedThing[]>): Promise<NamedThing[] | undefined> {
    const { database, logger } = this.#parts;
    if (!database?.isAvailable) return undefined;
    try {
      return await read(database);
    } catch (error) {
      logger.debug({ error: toError(error).message }, "the directory could not be read in PostgreSQL");
      return undefined;
    }
  }

  /** Undefined while it is away, as long as something is known without it. */
  async #readValkey(sightings: Sightings, { hasRecord }: { readonly hasRecord: boolean }): Promise<readonly SeenName[] | undefined> {
    const isOptional = hasRecord || sightings.lastRead !== undefined;
    try {
      return await sightings.read({ optional: isOptional });
    } catch (error) {
      if (!isOptional || !isConnectionError(error)) throw lastingFaultOf(error) ?? error;
      this.#parts.logger.debug({ error: toError(error).message }, "the directory could not be read on Valkey");
      return undefined;
    }
  }
}
