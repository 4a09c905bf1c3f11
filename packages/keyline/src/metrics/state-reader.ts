/*
 * DESIGN. What is asked of the stores for one scrape: how both are, and, where state is to be told, how queues and groups stand. All metrics of a scrape are told from one look, which counts for a
 * second, so that several scrapers cost no more than one. Each thing that is looked at is one bounded command of the library's, a few at a time, for a limited time; what cannot be read is left
 * out and counted, and the rest is told all the same. While Valkey is away only that is asked of it which PostgreSQL can answer.
 */
import type { ChannelListeners } from "../channel/channel-listeners.ts";
import type { Channel } from "../channel/channel.ts";
import type { QueueEntry, StreamEntry } from "../directory/directory.ts";
import type { Health } from "../health/health.ts";
import type { Keyline } from "../keyline.ts";
import type { QueueStatus } from "../queue/queue-status.ts";
import { clearTimeout, performance, setTimeout } from "../runtime/clock.ts";
import type { GroupStatus } from "../stream/group/group.ts";

/** Every `Queue` fits. */
export interface MeteredQueue {
  readonly name: string;
  counts(): Promise<QueueStatus>;
}

/** Every `Stream` fits. */
export interface MeteredStream {
  readonly name: string;
  groups(): Promise<readonly GroupStatus[]>;
}

export type MeteredChannel = Channel<never, unknown>;

export interface StateSources {
  readonly keyline: Pick<Keyline, "directory" | "health">;
  /** Undefined: all that the directory names. */
  readonly queues: readonly MeteredQueue[] | undefined;
  readonly streams: readonly MeteredStream[] | undefined;
  readonly channels: readonly MeteredChannel[] | undefined;
  /** Whether queues and groups are looked at. */
  readonly hasState: boolean;
}

export interface State {
  /** Undefined once the Keyline is closed. */
  readonly health: Health | undefined;
  readonly queues: readonly (readonly [name: string, status: QueueStatus])[];
  readonly streams: readonly (readonly [name: string, groups: readonly GroupStatus[]])[];
  readonly channels: readonly MeteredChannel[];
  readonly listeners: readonly (readonly [channel: string, listeners: ChannelListeners])[];
  /** What could not be read. */
  readonly unread: number;
}

interface Readable<Answer> {
  readonly name: string;
  read(): Promise<Answer>;
}

const freshMs = 1_000;
const answerWithinMs = 1_500;
const atOnce = 20;

/** Looks at the stores, once a second at the most. */
export class StateReader {
  readonly #sources: StateSources;
  #queues: readonly QueueEntry[] = [];
  #streams: readonly StreamEntry[] = [];
  /** They are held, as what was counted of a channel goes with it. */
  #channels: readonly MeteredChannel[];
  #last: { readonly at: number; readonly state: Promise<State> } | undefined;

  constructor(sources: StateSources) {
    this.#sources = sources;
    this.#channels = sources.channels ?? [];
  }

  /** Never rejects. */
  read(): Promise<State> {
    const now = performance.now();
    if (!this.#last || now - this.#last.at >= freshMs) this.#last = { at: now, state: this.#look() };
    return this.#last.state;
  }

  async #look(): Promise<State> {
    const { keyline, hasState } = this.#sources;
    const health = await keyline.health().catch(() => undefined);
    const isValkeyThere = health?.valkey.state === "ok";
    // While it is away what it named last is as good as what could be found elsewhere, and known at once.
    if (isValkeyThere) await this.#askDirectory();
    const [queues, streams, listeners] = hasState
      ? await Promise.all([
          readAll(this.#queuesToRead(isValkeyThere)),
          readAll(this.#streamsToRead(isValkeyThere)),
          readAll(this.#channelsToRead(isValkeyThere)),
        ])
      : [nothing, nothing, nothing];
    return {
      health,
      channels: this.#channels,
      listeners: listeners.read,
      queues: queues.read,
      streams: streams.read,
      unread: queues.unread + streams.unread + listeners.unread,
    };
  }

  async #askDirectory(): Promise<void> {
    const { keyline, hasState, streams, channels } = this.#sources;
    const { directory } = keyline;
    const [named, namedStreams, namedChannels] = await Promise.allSettled([
      hasState ? withinTime(directory.queues()) : this.#queues,
      hasState && !streams ? withinTime(directory.streams()) : this.#streams,
      channels ?? withinTime(directory.channels()).then((entries) => entries.map((entry) => entry.open())),
    ]);
    if (named.status === "fulfilled") this.#queues = named.value;
    if (namedStreams.status === "fulfilled") this.#streams = namedStreams.value;
    if (namedChannels.status === "fulfilled") this.#channels = namedChannels.value;
  }

  #queuesToRead(isValkeyThere: boolean): Readable<QueueStatus>[] {
    const transactional = new Set(this.#queues.flatMap((entry) => (entry.transactional ? [entry.name] : [])));
    const all = this.#sources.queues ?? this.#queues.map((entry) => ({ name: entry.name, counts: () => entry.open().counts() }));
    return all
      .filter(({ name }) => isValkeyThere || transactional.has(name))
      .map((queue) => ({ name: queue.name, read: () => queue.counts() }));
  }

  #streamsToRead(isValkeyThere: boolean): Readable<readonly GroupStatus[]>[] {
    if (!isValkeyThere) return [];
    const all = this.#sources.streams ?? this.#streams.map((entry) => ({ name: entry.name, groups: () => entry.open().groups() }));
    return all.map((stream) => ({ name: stream.name, read: () => stream.groups() }));
  }

  #channelsToRead(isValkeyThere: boolean): Readable<ChannelListeners>[] {
    if (!isValkeyThere) return [];
    return this.#channels.map((channel) => ({ name: channel.name, read: () => channel.listeners() }));
  }
}

const nothing = { read: [], unread: 0 };

async function readAll<Answer>(
  all: readonly Readable<Answer>[],
): Promise<{ readonly read: (readonly [string, Answer])[]; readonly unread: number }> {
  const read: (readonly [string, Answer])[] = [];
  for (let first = 0; first < all.length; first += atOnce) {
    const some = all.slice(first, first + atOnce).map(async (one) => [one.name, await withinTime(one.read())] as const);
    for (const answer of await Promise.allSettled(some)) if (answer.status === "fulfilled") read.push(answer.value);
  }
  return { read, unread: all.length - read.length };
}

async function withinTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${answerWithinMs} ms`)), answerWithinMs);
  // It may still fail when nobody waits for it any more.
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
