/** Every key of a channel, in one slot as those of a queue are. */
export class ChannelKeys {
  readonly live: string;
  readonly history: string;
  readonly state: string;
  readonly owners: string;
  readonly members: string;
  readonly presenceEvents: string;
  readonly rates: string;
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
    /** Hashes: what was done in a minute or an hour; see figures/scripts/figures-add.lua. */
    this.rates = `${base}channel-rates:`;
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

/** The pub/sub pattern for the live channels whose names fit `pattern`. */
export function livePattern(prefix: string, pattern: string): string {
  return `${prefix}:{${pattern}}:live`;
}

/** The channel's name in that of its live channel. */
export function channelOfLive(prefix: string, live: string): string {
  return live.slice(prefix.length + 2, -"}:live".length);
}
