/*
 * DESIGN. What this process has done, as whole numbers that only grow. It is counted whether or not anybody looks, as adding one to a number costs less than asking who wants to know; whoever
 * looks (metrics/) reads the numbers and changes nothing. Names of queues and streams are few, and their numbers stay as long as their Keyline. Channels may be as many as there are users: their
 * numbers go with them (channel/channel.ts).
 */
/** The upper ends of the buckets in which durations are counted, in milliseconds. */
export const durationBoundsMs = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000] as const;

/** How long things took. */
export class DurationCounts {
  /** How many ended within each bound and not within the one before; the last number is of those that took longer than all. */
  readonly buckets: number[] = Array.from({ length: durationBoundsMs.length + 1 }, () => 0);
  sumMs = 0;

  note(ms: number): void {
    let bucket = 0;
    while (ms > (durationBoundsMs[bucket] ?? Infinity)) bucket++;
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
    this.sumMs += ms;
  }
}

/** A worker or a consumer that runs here. */
export interface Crew {
  /** Attempts that run now. */
  readonly running: number;
  /** How many may run at once. */
  readonly capacity: number;
}

/** What the workers of a queue, or the consumers of a group, have done. */
export class ShiftCounts {
  completed = 0;
  /** Attempts that failed, the last one of what died included. */
  failed = 0;
  /** Failed attempts after which there is another one. */
  retried = 0;
  dead = 0;
  /** Attempts that came to nothing, as what they had was somebody else's by then. */
  overtaken = 0;
  leasesLost = 0;
  /** Taken back from workers or consumers that are gone. */
  rescued = 0;
  readonly crews = new Set<Crew>();
}

/** What is counted where it happens and seldom; rates look now and then. */
export const seldomCounts = ["leasesLost", "rescued", "overtaken"] as const;
export type SeldomCount = (typeof seldomCounts)[number];

export class QueueCounts extends ShiftCounts {
  added = 0;
  cancelled = 0;
  /** Times that its jobs were looked at again because Valkey had another memory. */
  rebuilds = 0;
  /** Settles that were done once more, because a transaction stood in their way. */
  settleConflicts = 0;
  /** What of these is in the queue's rates, or on its way there, whichever handle of the queue wrote it. */
  readonly written: Record<SeldomCount, number> = { leasesLost: 0, rescued: 0, overtaken: 0 };
  readonly ran = new DurationCounts();
  readonly waited = new DurationCounts();
}

export class GroupCounts extends ShiftCounts {
  settleConflicts = 0;
}

export class StreamCounts {
  appended = 0;
  readonly groups = new Map<string, GroupCounts>();
  /** As with queues, of all groups together. */
  readonly written: Record<SeldomCount, number> = { leasesLost: 0, rescued: 0, overtaken: 0 };

  group(name: string): GroupCounts {
    const known = this.groups.get(name) ?? new GroupCounts();
    this.groups.set(name, known);
    return known;
  }

  /** Of all groups. */
  sum(name: SeldomCount): number {
    let sum = 0;
    for (const group of this.groups.values()) sum += group[name];
    return sum;
  }
}

const noGaps: ReadonlyMap<string, number> = new Map();

export class ChannelCounts {
  published = 0;
  /** Messages that came to this process, however many listen. */
  received = 0;
  /** Messages that did not reach one who was too slow. */
  dropped = 0;
  /** Receivers that were ended because they were too slow. */
  slowReceivers = 0;
  #gaps: Map<string, number> | undefined;

  /** Gaps that receivers were told of, by their reasons. */
  get gaps(): ReadonlyMap<string, number> {
    return this.#gaps ?? noGaps;
  }

  noteReceived(): void {
    this.received++;
  }

  /** A receiver is ended, as there is no room for a message. */
  noteSlow(): void {
    this.dropped++;
    this.slowReceivers++;
  }

  noteGap(reason: string): void {
    this.#gaps ??= new Map();
    this.#gaps.set(reason, (this.#gaps.get(reason) ?? 0) + 1);
  }
}

/** Of one Keyline. */
export class Counters {
  readonly queues = new Map<string, QueueCounts>();
  readonly streams = new Map<string, StreamCounts>();
  /** Of all patterns together, as there may be one for each user: what they are handed is not counted for the channels. */
  readonly patterns = new ChannelCounts();

  queue(name: string): QueueCounts {
    const known = this.queues.get(name) ?? new QueueCounts();
    this.queues.set(name, known);
    return known;
  }

  stream(name: string): StreamCounts {
    const known = this.streams.get(name) ?? new StreamCounts();
    this.streams.set(name, known);
    return known;
  }
}
