/*
 * DESIGN. All channels of one Keyline. A message's way through the folders:
 *
 *   channel.ts -> publisher.ts -> valkey/channel/channel-log.ts -> [Valkey] -> valkey/channel/subscriber.ts -> live-topic.ts or kept-topic.ts
 *   -> audience.ts -> receiver.ts -> subscription.ts
 *
 * Within a transaction it takes another one to Valkey: transactional-publisher.ts -> [PostgreSQL] -> postgres/message/message-relay.ts
 * -> outbox-outlet.ts -> valkey/channel/channel-log.ts.
 *
 * However many receivers a channel has in this process, there is one topic and one subscription on Valkey.
 */
import type { Database } from "../postgres/client/database.ts";
import { MessageRelay } from "../postgres/message/message-relay.ts";
import { MessageTable } from "../postgres/message/message-table.ts";
import type { Door } from "../runtime/door.ts";
import { randomTag } from "../runtime/ids.ts";
import { withFields, type Logger } from "../runtime/logger.ts";
import { checkName, checkPattern } from "../runtime/names.ts";
import type { Seam } from "../runtime/probe.ts";
import { ChannelLog, type HistoryRule } from "../valkey/channel/channel-log.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import { ChannelKeys, channelOfLive, livePattern } from "../valkey/channel/keys.ts";
import { historyTrait, NameSet } from "../valkey/directory/name-set.ts";
import { Sightings, type Sighting } from "../valkey/directory/sightings.ts";
import { PresenceSet } from "../valkey/channel/presence-set.ts";
import { ServerRun } from "../valkey/client/server-run.ts";
import type { Subscriptions } from "../valkey/channel/subscriptions.ts";
import { Figures } from "../figures/figures.ts";
import { FigureTable } from "../postgres/figures/figure-table.ts";
import { FigureLog } from "../valkey/figures/figure-log.ts";
import { ChannelTally, ListedChannels } from "./channel-tally.ts";
import { Channel } from "./channel.ts";
import { readListeners } from "./channel-listeners.ts";
import { ChannelPattern, type ChannelPatternParts } from "./channel-pattern.ts";
import { parseCursor } from "./cursor.ts";
import { History } from "./history.ts";
import { KeptTopic } from "./kept-topic.ts";
import { KnownChannels, type ChannelRules } from "./known-channels.ts";
import { LiveTopic } from "./live-topic.ts";
import { MessageReader } from "./message.ts";
import { toChannelPolicy, type ChannelOptions } from "./options.ts";
import { OutboxOutlet } from "./outbox-outlet.ts";
import { Presence } from "./presence.ts";
import { Publisher } from "./publisher.ts";
import type { Topic } from "./topic.ts";
import { Topics, type TopicSource } from "./topics.ts";
import { TransactionalPublisher } from "./transactional-publisher.ts";

export interface ChannelsSetup {
  readonly prefix: string;
  readonly commands: ValkeyConnection;
  readonly createSubscriptions: () => Subscriptions;
  readonly database: Database | undefined;
  readonly logger: Logger;
  readonly door: Door;
  readonly seam: Seam;
}

const presenceLeaseMs = 10_000;

export class Channels {
  readonly #setup: ChannelsSetup;
  readonly #owner = randomTag(16);
  readonly #run: ServerRun;
  readonly #channels = new KnownChannels();
  readonly #publishers = new Set<Publisher>();
  readonly #presences = new Set<Presence>();
  readonly #topics: Topics;
  readonly sightings: Sightings;
  readonly #listedChannels: ListedChannels;
  readonly #listed = new Map<string, Sighting>();
  /** What was opened without being known, by its history and name. */
  readonly #opened = new Map<string, Channel<unknown>>();
  #subscriptions: Subscriptions | undefined;
  #relay: MessageRelay | undefined;
  #transactionalPublisher: TransactionalPublisher | undefined;

  constructor(setup: ChannelsSetup) {
    this.#setup = setup;
    this.#run = new ServerRun(setup.commands, `${setup.prefix}:run`);
    const names = new NameSet(setup.commands, { prefix: setup.prefix, kind: "channels" });
    this.sightings = new Sightings(names, setup.logger);
    this.#listedChannels = new ListedChannels(names, setup.logger);
    this.#topics = new Topics(() => this.#subscribed(), setup);
  }

  /** The channel of that name: always the same object. Throws INVALID_NAME, and INVALID_OPTION for other options than it was made with. */
  channel(name: string, options: ChannelOptions): Channel<unknown> {
    const known = this.#channels.get(name);
    if (known && Object.keys(options).length === 0) return known;
    const rules = this.#channels.rulesFor(checkName("channel", name), options);
    if (known) return known;
    const channel = this.#make(name, rules);
    this.#channels.add(channel, rules);
    return channel;
  }

  /** The channel that is known by that name, else a handle with that history: it is known to nobody who asks by name. */
  open(name: string, history: HistoryRule | undefined): Channel<unknown> {
    const known = this.#channels.get(checkName("channel", name));
    if (known) return known;
    const rules = { schema: undefined, policy: { ...toChannelPolicy({}), history } };
    const kind = `${history ? historyTrait(history) : ""} ${name}`;
    const opened = this.#opened.get(kind) ?? this.#make(name, rules);
    this.#opened.set(kind, opened);
    return opened;
  }

  /** Throws INVALID_NAME. */
  channels(pattern: string): ChannelPattern {
    const pubSubPattern = livePattern(this.#setup.prefix, checkPattern(pattern));
    const { door, seam } = this.#setup;
    const counts = seam.counters.patterns;
    const source: TopicSource = {
      subject: `channels ${pattern}`,
      fields: { pattern },
      owner: this,
      counts,
      make: () => new LiveTopic<unknown>(pattern, { readerOf: (live) => this.#readerOf(live), tally: counts, logger: this.#setup.logger }),
      subscribe: (subscriptions, topic) => subscriptions.subscribePattern(pubSubPattern, topic),
      unsubscribe: (subscriptions) => subscriptions.unsubscribePattern(pubSubPattern),
    };
    const createReceiver: ChannelPatternParts["createReceiver"] = (options, listener) => this.#topics.join(source, { options, listener });
    return new ChannelPattern(pattern, { door, seam, createReceiver });
  }

  async close(): Promise<void> {
    const topics = this.#topics.close();
    await Promise.all([...this.#publishers].map((publisher) => publisher.drained()));
    await Promise.all([...this.#presences].map((presence) => presence.stop()));
    await Promise.all([this.sightings.stop(), this.#listedChannels.stop()]);
    await this.#relay?.stop();
    await this.#subscriptions?.close();
    await topics;
  }

  #make(name: string, rules: ChannelRules): Channel<unknown> {
    const { database } = this.#setup;
    const logger = withFields(this.#setup.logger, { channel: name });
    const { policy, schema } = rules;
    const { history } = policy;
    const log = this.#createLog(name);
    const reader = new MessageReader<unknown>(name, { schema, logger });
    let presence: Presence | undefined;
    const figures = this.#figuresOf(name, log.keys);
    const tally = this.#tallyOf(name, figures);
    const channel: Channel<unknown> = new Channel<unknown>(name, {
      policy,
      schema,
      publisher: new Publisher(name, { log, history, busy: this.#publishers, tally }),
      transactionalPublisher: database && this.#transactional(database),
      figures,
      history: history && new History<unknown>(name, { log, reader, logger }),
      counts: tally.counts,
      presence: () => (presence ??= this.#createPresence(channel, log)),
      door: this.#setup.door,
      seam: this.#setup.seam,
      listeners: () => readListeners(log),
      list: () => this.#list(name, history),
      createReceiver: (options, listener) => {
        const since = options.since === undefined || options.since === "earliest" ? options.since : parseCursor(options.since);
        return this.#topics.join(source, { options, listener, since });
      },
    });
    const source: TopicSource = {
      subject: `channel ${name}`,
      fields: { channel: name },
      owner: channel,
      counts: tally.counts,
      make: (): Topic<unknown> =>
        history
          ? new KeptTopic<unknown>({ channel: name, log, reader, tally, logger })
          : new LiveTopic<unknown>(name, { readerOf: () => ({ channel: name, reader }), tally, logger }),
      subscribe: (subscriptions, topic) => subscriptions.subscribe(log.keys.live, topic),
      unsubscribe: (subscriptions) => subscriptions.unsubscribe(log.keys.live),
    };
    return channel;
  }

  async #list(name: string, history: HistoryRule | undefined): Promise<void> {
    const traits = history ? [historyTrait(history)] : [];
    const sighting = this.#listed.get(name) ?? this.sightings.of({ name, traits });
    if (this.#listed.has(name)) sighting.touch();
    else sighting.hold();
    this.#listed.set(name, sighting);
    this.#listedChannels.add(name);
    await this.sightings.flush();
  }

  #createPresence(channel: Channel<unknown>, { keys }: ChannelLog): Presence {
    const { commands } = this.#setup;
    const logger = withFields(this.#setup.logger, { channel: channel.name });
    return new Presence(channel, {
      set: new PresenceSet(commands, { keys, owner: this.#owner, leaseMs: presenceLeaseMs }),
      subscriptions: () => this.#subscribed(),
      logger,
      leaseMs: presenceLeaseMs,
      busy: this.#presences,
      door: this.#setup.door,
    });
  }

  #figuresOf(name: string, keys: ChannelKeys): Figures {
    const { commands, database } = this.#setup;
    const logger = withFields(this.#setup.logger, { channel: name });
    return new Figures(new FigureLog(commands, keys.rates), { table: database && new FigureTable(database, "channel", name), logger });
  }

  #tallyOf(name: string, figures: Figures): ChannelTally {
    return new ChannelTally(name, { listed: this.#listedChannels, figures, logger: withFields(this.#setup.logger, { channel: name }) });
  }

  #readerOf(live: string): { readonly channel: string; readonly reader: MessageReader } {
    const channel = channelOfLive(this.#setup.prefix, live);
    const schema = this.#channels.schemaOf(channel);
    return { channel, reader: new MessageReader<unknown>(channel, { schema, logger: this.#setup.logger }) };
  }

  #createLog(name: string): ChannelLog {
    const { prefix, commands } = this.#setup;
    return new ChannelLog(commands, {
      keys: new ChannelKeys(prefix, name),
      run: this.#run,
      hasPatterns: () => this.#subscribed().hasPatterns(),
    });
  }

  #subscribed(): Subscriptions {
    return (this.#subscriptions ??= this.#setup.createSubscriptions());
  }

  #transactional(database: Database): TransactionalPublisher {
    if (!this.#transactionalPublisher) {
      const table = new MessageTable(database);
      const tallies = new Map<string, ChannelTally>();
      const noteOut = (name: string, messages: number): void => {
        // Whoever relays need not know the channel; those that are listed are few.
        if (!this.#listedChannels.has(name)) return;
        const tally = tallies.get(name) ?? this.#tallyOf(name, this.#figuresOf(name, new ChannelKeys(this.#setup.prefix, name)));
        tallies.set(name, tally);
        tally.notePublished(messages);
      };
      const outlet = new OutboxOutlet(this.#setup.commands, { logOf: (channel) => this.#createLog(channel), noteOut });
      this.#relay = new MessageRelay(table, { outlet, logger: this.#setup.logger });
      this.#relay.start();
      this.#transactionalPublisher = new TransactionalPublisher(table, this.#relay);
    }
    return this.#transactionalPublisher;
  }
}
