/** Every key of a stream, in one slot as those of a queue are. */
export class StreamKeys {
  readonly events: string;
  readonly state: string;
  readonly foreign: string;
  readonly groups: string;
  readonly rates: string;
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
    /** Hashes: what was done in a minute or an hour; see figures/scripts/figures-add.lua. A queue of the same name has others. */
    this.rates = `${base}stream-rates:`;
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
  readonly rights: string;
  readonly linePrefix: string;
  readonly watched: string;
  readonly #consumerPrefix: string;

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
    /** Hash: what the group knows of itself; see scripts/group.lua. */
    this.state = `${base}state`;
    /** Stream: older entries from PostgreSQL, while the group is behind what the transactional stream keeps on Valkey. */
    this.backlog = `${base}backlog`;
    /** There for as long as it is looked what this user may do; see client/rights.ts. */
    this.rights = `${base}rights`;
    /** Of the lists with the ids that are under way of one key, in their order; the first of them runs. */
    this.linePrefix = `${base}line:`;
    /** String: there while somebody asks what consumers run. */
    this.watched = `${base}watched`;
    this.#consumerPrefix = `${base}consumer:`;
  }

  /** String: what a consumer has said of itself; with `:running` what it runs, while somebody asks. */
  consumer(name: string): string {
    return this.#consumerPrefix + name;
  }
}
