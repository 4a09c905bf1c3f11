/*
 * DESIGN. The hub knows the channels of one Keyline. A message's way through the folders:
 *
 *   channel.ts -> publisher.ts -> valkey/channel-log.ts -> [Valkey] -> valkey/subscriber.ts -> live-topic.ts or kept-topic.ts
 *   -> audience.ts -> receiver.ts -> subscription.ts
 *
 * Within a transaction it takes another one to Valkey: transactional-publisher.ts -> [PostgreSQL] -> postgres/message-relay.ts
 * -> outbox-outlet.ts -> valkey/channel-log.ts.
 *
 * However many receivers a channel has in this process, there is one topic and one subscription on Valkey.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Database } from "../postgres/database.ts";
import { MessageRelay } from "../postgres/message-relay.ts";
import { MessageTable } from "../postgres/message-table.ts";
import { KeylineError } from "../runtime/errors.ts";
import { randomTag } from "../runtime/ids.ts";
import type { Logger } from "../runtime/logger.ts";
import { checkName, checkPattern } from "../runtime/names.ts";
import { ChannelLog } from "../valkey/channel-log.ts";
import type { ValkeyConnection } from "../valkey/connection.ts";
import { ChannelKeys, channelOfLive, livePattern } from "../valkey/keys.ts";
import { PresenceSet } from "../valkey/presence-set.ts";
import { ServerRun } from "../valkey/server-run.ts";
import type { Subscriptions } from "../valkey/subscriptions.ts";
import { Channel, type ChannelParts } from "./channel.ts";
import { ChannelPattern } from "./channel-pattern.ts";
import { parseCursor } from "./cursor.ts";
import { History } from "./history.ts";
import { KeptTopic } from "./kept-topic.ts";
import { LiveTopic } from "./live-topic.ts";
import { MessageReader } from "./message.ts";
import { toChannelPolicy, type ChannelOptions, type ChannelPolicy } from "./options.ts";
import { OutboxOutlet } from "./outbox-outlet.ts";
import { Presence } from "./presence.ts";
import { Publisher } from "./publisher.ts";
import { Topics } from "./topics.ts";
import { TransactionalPublisher } from "./transactional-publisher.ts";

export interface HubSetup {
  readonly prefix: string;
  readonly commands: ValkeyConnection;
  readonly createSubscriptions: () => Subscriptions;
  readonly database: Database | undefined;
  readonly logger: Logger;
  checkOpen(): void;
}

interface KnownChannel {
  readonly channel: Channel<unknown>;
  readonly policy: ChannelPolicy;
  readonly schema: StandardSchemaV1 | undefined;
  readonly log: ChannelLog;
  readonly reader: MessageReader;
  readonly publisher: Publisher;
}

const presenceLeaseMs = 10_000;

export class Hub {
  readonly #setup: HubSetup;
  readonly #owner = randomTag(16);
  readonly #run: ServerRun;
  readonly #channels = new Map<string, KnownChannel>();
  readonly #presences = new Map<string, Presence>();
  readonly #topics: Topics;
  #subscriptions: Subscriptions | undefined;
  #relay: MessageRelay | undefined;
  #transactionalPublisher: TransactionalPublisher | undefined;

  constructor(setup: HubSetup) {
    this.#setup = setup;
    this.#run = new ServerRun(setup.commands);
    this.#topics = new Topics(() => this.#subscribed(), setup.logger);
  }

  /** The channel of that name: always the same object. Throws INVALID_NAME, and INVALID_OPTION for other options than it was made with. */
  channel(name: string, options: ChannelOptions): Channel<unknown> {
    const known = this.#channels.get(name);
    if (known) {
      if (Object.keys(options).length > 0) checkSame(name, known, options);
      return known.channel;
    }
    const made = this.#make(checkName("channel", name), options);
    this.#channels.set(name, made);
    return made.channel;
  }

  /** Throws INVALID_NAME. */
  channels(pattern: string): ChannelPattern {
    const pubSubPattern = livePattern(this.#setup.prefix, checkPattern(pattern));
    const source = {
      subject: `channels ${pattern}`,
      make: () => new LiveTopic<unknown>(pattern, { readerOf: (live) => this.#readerOf(live), logger: this.#setup.logger }),
      subscribe: (subscriptions: Subscriptions, topic: LiveTopic<unknown>) => subscriptions.subscribePattern(pubSubPattern, topic),
      unsubscribe: (subscriptions: Subscriptions) => subscriptions.unsubscribePattern(pubSubPattern),
    };
    return new ChannelPattern(pattern, {
      checkOpen: () => this.#setup.checkOpen(),
      createReceiver: (options, listener) => this.#topics.join(source, { options, listener }, (topic, receiver) => topic.attach(receiver)),
    });
  }

  async close(): Promise<void> {
    const topics = this.#topics.close();
    await Promise.all([...this.#channels.values()].map(({ publisher }) => publisher.drained()));
    await Promise.all([...this.#presences.values()].map((presence) => presence.stop()));
    await this.#relay?.stop();
    await this.#subscriptions?.close();
    await topics;
  }

  #make(name: string, options: ChannelOptions): KnownChannel {
    const { logger, database } = this.#setup;
    const policy = toChannelPolicy(options);
    const { schema } = options;
    const log = this.#createLog(name);
    const reader = new MessageReader<unknown>(name, { schema, logger });
    const rule = policy.history;
    const publisher = new Publisher(name, { log, history: rule });
    const channel: Channel<unknown> = new Channel<unknown>(name, {
      policy,
      schema,
      publisher,
      transactionalPublisher: database && this.#transactional(database),
      history: rule && new History<unknown>(name, { log, reader, logger }),
      presence: () => this.#presence(name, log),
      checkOpen: () => this.#setup.checkOpen(),
      createReceiver: rule ? this.#resumable({ name, log, reader }) : this.#live({ name, log, reader }),
    });
    return { channel, policy, schema, log, reader, publisher };
  }

  #live({
    name,
    log,
    reader,
  }: {
    readonly name: string;
    readonly log: ChannelLog;
    readonly reader: MessageReader;
  }): ChannelParts["createReceiver"] {
    const source = {
      ...placeOf(name, log),
      make: (): LiveTopic<unknown> =>
        new LiveTopic<unknown>(name, { readerOf: () => ({ channel: name, reader }), logger: this.#setup.logger }),
    };
    return (options, listener) =>
      this.#topics.join<LiveTopic<unknown>>(source, { options, listener }, (topic, receiver) => topic.attach(receiver));
  }

  #resumable({
    name,
    log,
    reader,
  }: {
    readonly name: string;
    readonly log: ChannelLog;
    readonly reader: MessageReader;
  }): ChannelParts["createReceiver"] {
    const source = {
      ...placeOf(name, log),
      make: () => new KeptTopic<unknown>({ channel: name, log, reader, logger: this.#setup.logger }),
    };
    return (options, listener) => {
      const { since } = options;
      const place = since === undefined || since === "earliest" ? since : parseCursor(since);
      return this.#topics.join<KeptTopic<unknown>>(source, { options, listener }, (topic, receiver) => topic.attach(receiver, place));
    };
  }

  #presence(name: string, { keys }: ChannelLog): Presence {
    const known = this.#presences.get(name);
    if (known) return known;
    const { commands, logger } = this.#setup;
    const presence = new Presence(name, {
      set: new PresenceSet(commands, { keys, owner: this.#owner, leaseMs: presenceLeaseMs }),
      subscriptions: () => this.#subscribed(),
      logger,
      leaseMs: presenceLeaseMs,
      checkOpen: () => this.#setup.checkOpen(),
    });
    this.#presences.set(name, presence);
    return presence;
  }

  #readerOf(live: string): { readonly channel: string; readonly reader: MessageReader } {
    const channel = channelOfLive(this.#setup.prefix, live);
    const known = this.#channels.get(channel)?.reader;
    return { channel, reader: known ?? new MessageReader<unknown>(channel, { schema: undefined, logger: this.#setup.logger }) };
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
      const outlet = new OutboxOutlet(this.#setup.commands, (channel) => this.#channels.get(channel)?.log ?? this.#createLog(channel));
      this.#relay = new MessageRelay(table, { outlet, logger: this.#setup.logger });
      this.#relay.start();
      this.#transactionalPublisher = new TransactionalPublisher(table, this.#relay);
    }
    return this.#transactionalPublisher;
  }
}

/** Where the messages of a channel are heard. */
function placeOf(
  name: string,
  { keys }: ChannelLog,
): {
  readonly subject: string;
  subscribe(subscriptions: Subscriptions, topic: LiveTopic<unknown> | KeptTopic<unknown>): void;
  unsubscribe(subscriptions: Subscriptions): void;
} {
  return {
    subject: `channel ${name}`,
    subscribe: (subscriptions, topic) => subscriptions.subscribe(keys.live, topic),
    unsubscribe: (subscriptions) => subscriptions.unsubscribe(keys.live),
  };
}

function checkSame(name: string, known: KnownChannel, options: ChannelOptions): void {
  const isSame = known.schema === options.schema && JSON.stringify(toChannelPolicy(options)) === JSON.stringify(known.policy);
  if (isSame) return;
  throw new KeylineError(
    "INVALID_OPTION",
    `Channel ${name} was made before with other options: give the same ones, or call channel(${JSON.stringify(name)}) to get it again`,
  );
}
