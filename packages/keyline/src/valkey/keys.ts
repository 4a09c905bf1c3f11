/** Every key of a queue. The braces are its hash tag: all of them live in one slot of a cluster, and a script may touch them all. */
export class QueueKeys {
  readonly waiting: string;
  readonly workers: string;
  readonly gone: string;
  readonly scheduled: string;
  readonly dead: string;
  readonly ids: string;
  readonly marker: string;
  readonly #heldPrefix: string;

  constructor(prefix: string, queue: string) {
    const base = `${prefix}:{${queue}}:`;
    /** List: jobs that wait; added at the left, taken from the right. */
    this.waiting = `${base}waiting`;
    /** Sorted set: worker -> end of its lease, in the server's milliseconds. */
    this.workers = `${base}workers`;
    /** Sorted set: worker whose held list was returned -> when; a move that was under way may still fill that list. */
    this.gone = `${base}gone`;
    /** Sorted set: jobs that wait for their next attempt, by due time in the server's milliseconds. */
    this.scheduled = `${base}scheduled`;
    /** List: dead letters of a plain queue, newest at the left. */
    this.dead = `${base}dead`;
    /** Set: ids that callers chose, of jobs of a plain queue that are not settled. */
    this.ids = `${base}ids`;
    /** String: the epoch, which is another one after the server lost its memory or a replica took over. */
    this.marker = `${base}marker`;
    this.#heldPrefix = `${base}held:`;
  }

  /** List: what one worker holds, in the order in which it took it. */
  held(worker: string): string {
    return this.#heldPrefix + worker;
  }
}

/** Every key of a channel, in one slot as those of a queue are. */
export class ChannelKeys {
  readonly live: string;
  readonly history: string;
  readonly state: string;
  readonly owners: string;
  readonly members: string;
  readonly presenceEvents: string;
  readonly #presencePrefix: string;
  readonly #outboxPrefix: string;

  constructor(prefix: string, channel: string) {
    const base = `${prefix}:{${channel}}:`;
    /** Pub/sub channel: messages as they are published. */
    this.live = `${base}live`;
    /** Stream: the messages that the channel keeps. */
    this.history = `${base}history`;
    /** Hash: what a cursor is judged by; see channel-history.lua. */
    this.state = `${base}history-state`;
    /** Sorted set: process that answers for members -> end of its lease, in the server's milliseconds. */
    this.owners = `${base}presence`;
    /** Hash: member -> how many processes answer for it, since when it is here, and what it says of itself. */
    this.members = `${base}presence:members`;
    /** Pub/sub channel: who joined and who left. */
    this.presenceEvents = `${base}presence:events`;
    this.#presencePrefix = `${base}presence:of:`;
    this.#outboxPrefix = `${base}outbox:`;
  }

  /** String: the number of the last message that came from that outbox of a PostgreSQL. */
  outbox(name: string): string {
    return this.#outboxPrefix + name;
  }

  /** Set: the members that one process answers for. */
  membersOf(owner: string): string {
    return this.#presencePrefix + owner;
  }
}

/** Every key of a stream, in one slot as those of a queue are. */
export class StreamKeys {
  readonly events: string;
  readonly state: string;
  readonly foreign: string;
  readonly groups: string;
  readonly groupPrefix: string;
  readonly #historyPrefix: string;
  readonly #oncePrefix: string;

  constructor(prefix: string, stream: string) {
    const base = `${prefix}:{${stream}}:`;
    /** Stream: the entries; of a transactional stream the newest of them. */
    this.events = `${base}events`;
    /** Hash: what a reader's place is judged by; see stream-state.lua. */
    this.state = `${base}events-state`;
    /** List: what somebody else wrote into a transactional stream, newest at the left. */
    this.foreign = `${base}foreign`;
    /** Hash: consumer group -> when it was last seen, in the server's milliseconds. */
    this.groups = `${base}groups`;
    this.#historyPrefix = `${base}history:`;
    this.#oncePrefix = `${base}once:`;
    /** Of the keys of all consumer groups. */
    this.groupPrefix = `${base}group:`;
  }

  /** List: the ids of the entries with that key, oldest at the left. */
  historyOf(key: string): string {
    return this.#historyPrefix + key;
  }

  /** String: the id of the entry that was appended with that idempotency key. */
  once(idempotencyKey: string): string {
    return this.#oncePrefix + idempotencyKey;
  }

  group(name: string): GroupKeys {
    return new GroupKeys(this, `${this.groupPrefix}${name}:`);
  }
}

/** Every key of a consumer group, beside those of its stream. */
export class GroupKeys {
  readonly stream: StreamKeys;
  readonly consumers: string;
  readonly again: string;
  readonly entries: string;
  readonly dead: string;
  readonly state: string;
  readonly backlog: string;
  readonly linePrefix: string;

  constructor(stream: StreamKeys, base: string) {
    this.stream = stream;
    /** Sorted set: consumer -> end of its lease, in the server's milliseconds. */
    this.consumers = `${base}consumers`;
    /** Sorted set: id of an entry that is to be handed out again -> when it is due, in the server's milliseconds. */
    this.again = `${base}again`;
    /** Hash: the same ids -> the entry, with the attempts that failed. */
    this.entries = `${base}again:entries`;
    /** List: dead letters, newest at the left. */
    this.dead = `${base}dead`;
    /** Hash: what the group knows of itself; see group-state.lua. */
    this.state = `${base}state`;
    /** Stream: older entries from PostgreSQL, while the group is behind what the transactional stream keeps on Valkey. */
    this.backlog = `${base}backlog`;
    /** Of the lists with the ids that are under way of one key, in their order; the first of them runs. */
    this.linePrefix = `${base}line:`;
  }
}

/** The pub/sub pattern for the live channels whose names fit `pattern`. */
export function livePattern(prefix: string, pattern: string): string {
  return `${prefix}:{${pattern}}:live`;
}

/** The channel's name in that of its live channel. */
export function channelOfLive(prefix: string, live: string): string {
  return live.slice(prefix.length + 2, -"}:live".length);
}
