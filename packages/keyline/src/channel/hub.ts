/*
 * DESIGN. The hub knows the channels of one Keyline. A message's way through the folders:
 *
 *   channel.ts -> publisher.ts -> valkey/channel-log.ts -> [Valkey] -> valkey/subscriber.ts -> live-topic.ts or kept-topic.ts
 *   -> audience.ts -> receiver.ts -> subscription.ts
 *
 * Within a transaction it takes another one to Valkey: transactional-publisher.ts -> [PostgreSQL] -> postgres/message-relay.ts.
 *
 * However many receivers a channel has in this process, there is one topic and one subscription on Valkey. A topic nobody listens
 * to stays for a while: clients that were all cut off at once come back to a window that is still there.
 */
import type { Database } from "../postgres/database.ts";
import { MessageRelay, type MessageOutlet } from "../postgres/message-relay.ts";
import { MessageTable, type MessageRow } from "../postgres/message-table.ts";
import { KeylineError } from "../runtime/errors.ts";
import { randomTag } from "../runtime/ids.ts";
import type { Logger } from "../runtime/logger.ts";
import { checkName, checkPattern } from "../runtime/names.ts";
import { ChannelLog, type HistoryRule } from "../valkey/channel-log.ts";
import type { ValkeyConnection } from "../valkey/connection.ts";
import { ChannelKeys, channelOfLive, livePattern } from "../valkey/keys.ts";
import { PresenceSet } from "../valkey/presence-set.ts";
import { ServerRun } from "../valkey/server-run.ts";
import type { Subscriptions } from "../valkey/subscriptions.ts";
import { Channel } from "./channel.ts";
import { ChannelPattern } from "./channel-pattern.ts";
import { History } from "./history.ts";
import { KeptTopic } from "./kept-topic.ts";
import { LiveTopic } from "./live-topic.ts";
import { MessageReader } from "./message.ts";
import { toChannelPolicy, type ChannelOptions, type PatternSubscribeOptions, type SubscribeOptions } from "./options.ts";
import { Presence } from "./presence.ts";
import { Publisher } from "./publisher.ts";
import { Receiver, type MessageListener } from "./receiver.ts";
import type { Topic } from "./topic.ts";
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
  readonly log: ChannelLog;
  readonly reader: MessageReader;
  readonly presence: Presence;
}

const lingerMs = 10_000;
const presenceLeaseMs = 10_000;

export class Hub implements MessageOutlet {
  readonly #setup: HubSetup;
  readonly #owner = randomTag(16);
  readonly #run: ServerRun;
  readonly #channels = new Map<string, KnownChannel>();
  readonly #topics = new Map<string, Topic<unknown>>();
  readonly #receivers = new Set<Receiver<unknown>>();
  readonly #lingering = new Map<string, NodeJS.Timeout>();
  #subscriptions: Subscriptions | undefined;
  #relay: MessageRelay | undefined;
  #transactionalPublisher: TransactionalPublisher | undefined;

  constructor(setup: HubSetup) {
    this.#setup = setup;
    this.#run = new ServerRun(setup.commands);
  }

  get isOpen(): boolean {
    return this.#setup.commands.isReady;
  }

  /** The channel of that name: always the same object. Throws INVALID_NAME and INVALID_OPTION. */
  channel(name: string, options: ChannelOptions): Channel<unknown> {
    checkName("channel", name);
    const known = this.#channels.get(name);
    if (known && Object.keys(options).length > 0) {
      throw new KeylineError(
        "INVALID_OPTION",
        `Channel ${name} was made before: call channel(${JSON.stringify(name)}) without options to get it again`,
      );
    }
    if (known) return known.channel;
    const made = this.#make(name, options);
    this.#channels.set(name, made);
    return made.channel;
  }

  /** Throws INVALID_NAME. */
  channels(pattern: string): ChannelPattern {
    checkPattern(pattern);
    const pubSubPattern = livePattern(this.#setup.prefix, pattern);
    return new ChannelPattern(pattern, {
      checkOpen: () => this.#setup.checkOpen(),
      createReceiver: (options, listener) => {
        const subject = `channels ${pattern}`;
        return this.#createReceiver(subject, { options, listener }, (receiver) => {
          const topic = this.#topic(subject, (subscriptions) => {
            const made = new LiveTopic<unknown>(pattern, { readerOf: (live) => this.#readerOf(live), logger: this.#setup.logger });
            subscriptions.subscribePattern(pubSubPattern, made);
            return made;
          });
          (topic as LiveTopic<unknown>).attach(receiver);
        });
      },
    });
  }

  /** Publishes committed messages for the relay. */
  async publishRows(channel: string, rows: readonly MessageRow[]): Promise<void> {
    const log = this.#channels.get(channel)?.log ?? this.#createLog(channel);
    // Rows of one channel may have been written with different options, as while a deployment goes on.
    for (let first = 0; first < rows.length;) {
      const rule = rows[first];
      if (!rule) return;
      let end = first;
      let length = 0;
      while (end < rows.length && end - first < 100 && length < 1_048_576) {
        const row = rows[end];
        if (!row || row.outbox !== rule.outbox || row.history_size !== rule.history_size || row.history_ttl !== rule.history_ttl) break;
        length += row.data.length;
        end++;
      }
      const messages = rows.slice(first, end).map(({ id, data, at, number }) => ({ id, dataJson: data, at, number }));
      if (rule.history_size === null) await log.publish(messages, rule.outbox);
      else await log.publishKept(messages, { size: rule.history_size, ttlMs: Number(rule.history_ttl) }, rule.outbox);
      first = end;
    }
  }

  async close(): Promise<void> {
    for (const receiver of this.#receivers) receiver.close();
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    await Promise.all([...this.#channels.values()].map(({ presence }) => presence.stop()));
    await this.#relay?.stop();
    await this.#subscriptions?.close();
    await Promise.all([...this.#topics.values()].map((topic) => topic.stop()));
  }

  #make(name: string, options: ChannelOptions): KnownChannel {
    const { logger, database } = this.#setup;
    const policy = toChannelPolicy(options);
    const log = this.#createLog(name);
    const { schema } = options;
    const reader = new MessageReader<unknown>(name, { schema, logger });
    const presence = new Presence(name, {
      set: new PresenceSet(this.#setup.commands, { keys: log.keys, owner: this.#owner, leaseMs: presenceLeaseMs }),
      subscriptions: () => this.#subscribed(),
      logger,
      leaseMs: presenceLeaseMs,
      checkOpen: () => this.#setup.checkOpen(),
    });
    const rule = policy.history;
    const channel: Channel<unknown> = new Channel<unknown>(name, {
      policy,
      schema,
      publisher: new Publisher(name, { log, history: rule }),
      transactionalPublisher: database && this.#transactional(database),
      history: rule && new History<unknown>(name, { log, rule, reader, logger }),
      presence,
      checkOpen: () => this.#setup.checkOpen(),
      createReceiver: (receiverOptions, listener) =>
        this.#createReceiver(`channel ${name}`, { options: receiverOptions, listener }, (receiver) =>
          this.#attach(name, { receiver, log, reader, rule, since: receiverOptions.since }),
        ),
    });
    return { channel, log, reader, presence };
  }

  #attach(
    name: string,
    {
      receiver,
      log,
      reader,
      rule,
      since,
    }: {
      readonly receiver: Receiver<unknown>;
      readonly log: ChannelLog;
      readonly reader: MessageReader;
      readonly rule: HistoryRule | undefined;
      readonly since: string | undefined;
    },
  ): void {
    const { logger } = this.#setup;
    const topic = this.#topic(`channel ${name}`, (subscriptions) => {
      const made = rule
        ? new KeptTopic<unknown>({ channel: name, log, rule, reader, logger })
        : new LiveTopic<unknown>(name, { readerOf: () => ({ channel: name, reader }), logger });
      subscriptions.subscribe(log.keys.live, made);
      return made;
    });
    if (topic instanceof KeptTopic) topic.attach(receiver, since);
    else (topic as LiveTopic<unknown>).attach(receiver);
  }

  #createReceiver(
    subject: string,
    {
      options,
      listener,
    }: { readonly options: PatternSubscribeOptions & SubscribeOptions; readonly listener: MessageListener<unknown> | undefined },
    attach: (receiver: Receiver<unknown>) => void,
  ): Receiver<unknown> {
    const receiver = new Receiver<unknown>({
      ...options,
      subject,
      listener,
      logger: this.#setup.logger,
      onClosed: (closed) => {
        this.#receivers.delete(closed);
        this.#topics.get(subject)?.detach(closed);
        this.#linger(subject);
      },
    });
    attach(receiver);
    this.#receivers.add(receiver);
    return receiver;
  }

  #topic(subject: string, make: (subscriptions: Subscriptions) => Topic<unknown>): Topic<unknown> {
    clearTimeout(this.#lingering.get(subject));
    this.#lingering.delete(subject);
    const known = this.#topics.get(subject);
    if (known) return known;
    const topic = make(this.#subscribed());
    this.#topics.set(subject, topic);
    return topic;
  }

  #linger(subject: string): void {
    const topic = this.#topics.get(subject);
    if (!topic?.isIdle || this.#lingering.has(subject)) return;
    const end = (): void => {
      this.#lingering.delete(subject);
      if (!topic.isIdle) return;
      this.#topics.delete(subject);
      this.#unsubscribe(subject);
      void topic.stop();
    };
    this.#lingering.set(subject, setTimeout(end, lingerMs).unref());
  }

  #unsubscribe(subject: string): void {
    const [kind, name = ""] = subject.split(" ", 2);
    if (kind === "channels") this.#subscriptions?.unsubscribePattern(livePattern(this.#setup.prefix, name));
    else this.#subscriptions?.unsubscribe(new ChannelKeys(this.#setup.prefix, name).live);
  }

  #readerOf(live: string): { readonly channel: string; readonly reader: MessageReader } {
    const channel = channelOfLive(this.#setup.prefix, live);
    const reader =
      this.#channels.get(channel)?.reader ?? new MessageReader<unknown>(channel, { schema: undefined, logger: this.#setup.logger });
    return { channel, reader };
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
      this.#relay = new MessageRelay(table, { outlet: this, logger: this.#setup.logger });
      this.#relay.start();
      this.#transactionalPublisher = new TransactionalPublisher(table, this.#relay);
    }
    return this.#transactionalPublisher;
  }
}
