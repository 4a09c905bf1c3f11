import type { StandardSchemaV1 } from "@standard-schema/spec";
import { isLent } from "../postgres/client/lent-client.ts";
import type { ChannelCounts } from "../runtime/counters.ts";
import type { Door } from "../runtime/door.ts";
import { KeylineError } from "../runtime/errors.ts";
import { newId } from "../runtime/ids.ts";
import { toJson } from "../runtime/json.ts";
import { checkInteger } from "../runtime/options.ts";
import type { Seam } from "../runtime/probe.ts";
import { validate } from "../runtime/schema.ts";
import type { Figures, RatesOptions } from "../figures/figures.ts";
import type { ChannelListeners } from "./channel-listeners.ts";
import { readChannelRates, type ChannelRates } from "./channel-rates.ts";
import type { History, HistoryRead, HistoryReadOptions } from "./history.ts";
import {
  checkHistoryReadOptions,
  checkPublishOptions,
  checkSubscribeOptionNames,
  type ChannelPolicy,
  type PublishOptions,
  type PublishResult,
  type SubscribeOptions,
} from "./options.ts";
import type { Presence } from "./presence.ts";
import type { Publisher } from "./publisher.ts";
import type { Receiver } from "./receiver.ts";
import type { MessageListener } from "./hear.ts";
import { Subscription } from "./subscription.ts";
import type { TransactionalPublisher } from "./transactional-publisher.ts";
import { asAct } from "../valkey/client/as-act.ts";
import { asRead } from "../valkey/client/as-read.ts";

/** What the hub gives a channel to work with. */
export interface ChannelParts {
  readonly policy: ChannelPolicy;
  readonly schema: StandardSchemaV1 | undefined;
  readonly publisher: Publisher;
  /** Undefined without PostgreSQL. */
  readonly transactionalPublisher: TransactionalPublisher | undefined;
  readonly history: History<unknown> | undefined;
  readonly figures: Figures;
  readonly counts: ChannelCounts;
  presence(): Presence;
  listeners(): Promise<ChannelListeners>;
  list(): Promise<void>;
  createReceiver(options: SubscribeOptions, listener: MessageListener<unknown> | undefined): Receiver<unknown>;
  readonly door: Door;
  readonly seam: Seam;
}

const noOptions = {};

/** What is happening now, to everyone who listens; with `history`, also to those who were away for a while. */
export class Channel<Input, Output = Input> {
  readonly name: string;
  readonly #parts: ChannelParts;
  readonly #subject: string;

  /** @internal */
  constructor(name: string, parts: ChannelParts) {
    this.name = name;
    this.#parts = parts;
    this.#subject = `channel ${name}`;
  }

  /** @internal What has come and gone on it in this process. */
  static countsOf(channel: Channel<unknown>): ChannelCounts {
    return channel.#parts.counts;
  }

  /** Who is here. */
  get presence(): Presence {
    return this.#parts.presence();
  }

  get hasHistory(): boolean {
    return this.#parts.policy.history !== undefined;
  }

  /**
   * Publishes a message to everybody who is subscribed now; with history it is kept in the same step. With `tx` it is published after that
   * transaction's COMMIT, once, and never otherwise.
   *
   * Throws, before anything is sent, ValidationError, NOT_SERIALIZABLE, FORBIDDEN_KEY, PAYLOAD_TOO_LARGE, POSTGRES_REQUIRED or
   * NOT_IN_TRANSACTION; VALKEY_UNAVAILABLE when nothing could be sent; OUTCOME_UNKNOWN when the answer got lost.
   *
   * @example
   * const { id, receivers } = await news.publish({ text: "Valkey 9 is out" });
   */
  publish(data: Input, options: PublishOptions = noOptions): Promise<PublishResult> {
    const { probe } = this.#parts.seam;
    if (!probe) return this.#publishSoon(data, options, undefined);
    return probe.send({ place: this.name, count: undefined }, (trace) => this.#publishSoon(data, options, trace));
  }

  async #publishSoon(data: Input, options: PublishOptions, trace: string | undefined): Promise<PublishResult> {
    const { schema, door } = this.#parts;
    if (options !== noOptions) checkPublishOptions(options);
    if (options.tx === undefined || !isLent(options.tx)) door.check();
    if (!schema && options.tx === undefined) return this.#publish(data, options, trace);
    return door.follow(this.#publish(data, options, trace));
  }

  async #publish(data: Input, options: PublishOptions, trace: string | undefined): Promise<PublishResult> {
    const { tx } = options;
    const { schema, policy, publisher, transactionalPublisher, counts } = this.#parts;
    // What is sent is what the caller gave: each receiver validates it again, and gets what the schema makes of it.
    if (schema) await validate(this.#subject, schema, data);
    const dataJson = toJson(this.#subject, data, policy.maxPayloadBytes);
    const id = newId();
    if (tx === undefined) {
      const at = Date.now();
      return { id, ...(await publisher.publish(trace === undefined ? { id, dataJson, at } : { id, dataJson, at, trace })) };
    }
    if (!transactionalPublisher) {
      throw new KeylineError("POSTGRES_REQUIRED", `publish with tx needs PostgreSQL: give new Keyline({ postgres: "postgres://..." })`);
    }
    await transactionalPublisher.publish(tx, { channel: this.name, id, dataJson, history: policy.history, trace }, counts);
    return { id, receivers: undefined, cursor: undefined };
  }

  /**
   * Listens. Without a listener the subscription is iterated; with one, each message is handed to it as it comes, and the next one waits
   * until the promise that it returned is settled. Delivery goes on by itself after reconnects and failovers: with history nothing is missing and nothing comes
   * twice, and `onGap` announces messages that are gone; without, `onGap` tells that there was a break.
   *
   * Throws INVALID_CURSOR, and INVALID_OPTION, also for `since` on a channel without history.
   *
   * @example
   * for await (const message of news.subscribe({ since: cursor })) console.log(message.data);
   */
  subscribe(options?: SubscribeOptions): Subscription<Output>;
  subscribe(listener: MessageListener<Output>, options?: SubscribeOptions): Subscription<Output>;
  subscribe(first: MessageListener<Output> | SubscribeOptions = {}, second: SubscribeOptions = {}): Subscription<Output> {
    this.#parts.door.checkOpen();
    const [listener, options] = typeof first === "function" ? [first, second] : [undefined, first];
    checkSubscribeOptionNames(options);
    if (options.since !== undefined && !this.hasHistory) {
      throw new KeylineError(
        "INVALID_OPTION",
        `Channel ${this.name} keeps no history to resume from: make it with { history: {} }, or subscribe without since`,
      );
    }
    return new Subscription<Output>(
      this.#parts.createReceiver(options, listener as MessageListener<unknown> | undefined),
      this.#parts.seam,
    );
  }

  /**
   * Messages that are kept: the newest `limit` (default 100), oldest first, those after the cursor `since`, or those before the message with the cursor `before`.
   * Subscribe from `cursor` to see what comes next, and read back from `earlier`. Reads a page, however many are kept. Throws INVALID_CURSOR, and INVALID_OPTION on a
   * channel without history.
   *
   * @example
   * const { messages, cursor, earlier } = await news.history({ limit: 20 });
   * const subscription = news.subscribe({ since: cursor });
   * if (earlier !== undefined) await news.history({ limit: 20, before: earlier });
   */
  history(options: HistoryReadOptions = {}): Promise<HistoryRead<Output>> {
    return this.#parts.door.accept(() => asRead(this.#readHistory(options)));
  }

  /**
   * Has the channel be in `keyline.directory` while this process runs, and for 30 days. Only channels that somebody lists are there, as an application may have a name
   * for each of its users. It is there when this resolves, as far as this user of Valkey may write it. Throws VALKEY_UNAVAILABLE.
   *
   * @example
   * await news.list();
   */
  list(): Promise<void> {
    return this.#parts.door.accept(() => asAct(this.#parts.list(), `list of channel ${this.name}`));
  }

  /**
   * How many messages were published and received: minute by minute, of the last hour or of as many `minutes`, up to two days, or by `hours`, up to ninety days. Only channels that are listed
   * (`list()`) are counted. Every process writes it down every few seconds. Throws INVALID_OPTION and VALKEY_UNAVAILABLE.
   */
  rates(options: RatesOptions = noOptions): Promise<ChannelRates> {
    return this.#parts.door.accept(() => asRead(readChannelRates(this.#parts.figures, options)));
  }

  /**
   * Who listens at this moment, in all processes: one command, whether or not the channel is listed. Throws VALKEY_UNAVAILABLE.
   *
   * @example
   * const { connections } = await news.listeners();
   */
  listeners(): Promise<ChannelListeners> {
    return this.#parts.door.accept(() => asRead(this.#parts.listeners()));
  }

  async #readHistory(options: HistoryReadOptions): Promise<HistoryRead<Output>> {
    checkHistoryReadOptions(options);
    const { limit = 100, since, before } = options;
    checkInteger("limit", limit, { min: 1, max: 10_000 });
    const { history } = this.#parts;
    if (!history) {
      throw new KeylineError("INVALID_OPTION", `Channel ${this.name} keeps no history: make it with { history: {} }`);
    }
    return (await history.read({ limit, since, before })) as HistoryRead<Output>;
  }
}
