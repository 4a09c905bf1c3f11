import { closed, toError, type ClientError } from "./client-error.ts";
import { Connection, type ConnectionState } from "./connection/connection.ts";
import type { FrameOf, ServerFrame } from "./connection/frames.ts";
import type { Resumable, ResumableParts } from "./connection/resumable.ts";
import { TokenKeeper, type TokenSource } from "./connection/token-keeper.ts";
import type { Presence } from "./presence/presence.ts";
import { Presences } from "./presence/presences.ts";
import { send, type PublishOptions, type PublishResult, type Result, type Sendable, type SendOptions } from "./publish.ts";
import { Emitter } from "./runtime/emitter.ts";
import type { Environment } from "./runtime/environment.ts";
import type { Message } from "./subscription/message.ts";
import type { IterableSubscription, IterateOptions, SubscribeOptions, Subscription } from "./subscription/subscription.ts";
import { Subscriptions, type Choice, type Words } from "./subscription/subscriptions.ts";
import type { Entry } from "./stream/entry.ts";
import type { FollowOptions, LiveStream } from "./stream/stream.ts";

export interface LiveEvents {
  /** The connection's new state. */
  readonly state: ConnectionState;
  /** Errors of calls that nobody waits for: a token function that failed, a subscription or a presence that the gateway ended. */
  readonly error: ClientError;
}

interface LiveParts {
  readonly url: string;
  readonly token: TokenSource | undefined;
  readonly environment: Environment;
}

const channelWords: Words = { kind: "channel", begin: "subscribe", end: "unsubscribe", place: "since" };
const streamWords: Words = { kind: "stream", begin: "follow", end: "unfollow", place: "after" };

/** The channels and streams of a gateway over one connection, which is kept until `close`. Made by `connect`. */
export class Live {
  readonly #environment: Environment;
  readonly #events = new Emitter<LiveEvents>();
  readonly #connection: Connection;
  readonly #resumables = new Set<Resumable>();
  readonly #subscriptions: Subscriptions;
  readonly #follows: Subscriptions;
  readonly #presences: Presences;

  /** @internal */
  constructor({ url, token, environment }: LiveParts) {
    const onError = (error: ClientError): void => this.#events.emit("error", error);
    const parts: ResumableParts = { environment, resumables: this.#resumables, link: () => this.#connection.link, onError };
    this.#environment = environment;
    this.#subscriptions = new Subscriptions(parts, channelWords);
    this.#follows = new Subscriptions(parts, streamWords);
    this.#presences = new Presences(parts);
    this.#connection = new Connection({
      url,
      environment,
      tokens: token && new TokenKeeper({ source: token, environment, onError }),
      onState: (state) => this.#onState(state),
      onFrame: (frame) => this.#take(frame),
      onError,
      onRefused: (error) => this.#endAll(error),
    });
    void this.#connection.start();
  }

  /** Whether there is a connection. `on("state", ...)` tells when it changes. */
  get state(): ConnectionState {
    return this.#connection.state;
  }

  /**
   * Subscribes to a channel, also while there is no connection. With a listener, it is called for each message as it arrives; without one
   * the subscription is iterated, and throws SLOW_RECEIVER when more than `buffer` messages wait. Over a lost connection each message
   * of a channel with history comes once and in order, or `onGap` says that some are missing.
   *
   * Ends with FORBIDDEN, UNKNOWN_CHANNEL, INVALID_CURSOR or TOKEN_REVOKED when the gateway refuses; throws INVALID_OPTION.
   *
   * @example
   * for await (const message of live.subscribe<Post>("tech_news", { since: lastCursor })) show(message.data);
   */
  subscribe<Data = unknown>(channel: string, options?: IterateOptions): IterableSubscription<Data>;
  subscribe<Data = unknown>(channel: string, listener: (message: Message<Data>) => void, options?: SubscribeOptions): Subscription;
  subscribe<Data>(
    channel: string,
    first: IterateOptions | ((message: Message<Data>) => void) = {},
    options: SubscribeOptions = {},
  ): Subscription {
    this.#checkOpen();
    return this.#subscriptions.open(channel, first, options);
  }

  /**
   * Publishes a message. Rejects with OFFLINE at once when there is no connection (with `timeout`, when none comes in that time): nothing
   * was sent then. Rejects with OUTCOME_UNKNOWN when the answer got lost: the client never sends it again by itself.
   *
   * @example
   * const { id } = await live.publish("tech_news", { text: "Hello" });
   */
  publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<PublishResult> {
    return this.#send<"publish">({ type: "publish", channel }, data, options);
  }

  /**
   * A stream: to follow it, and to append to it.
   *
   * @example
   * for await (const entry of live.stream<Review>("reviews").follow({ after: lastId })) show(entry.data);
   */
  stream<Data = unknown>(name: string): LiveStream<Data> {
    return {
      follow: (first: Choice<Entry<Data>> = {}, options: FollowOptions = {}) => {
        this.#checkOpen();
        return this.#follows.open(name, first, options);
      },
      append: (data, options = {}) => {
        return this.#send<"append">({ type: "append", stream: name, idempotencyKey: options.idempotencyKey }, data, options);
      },
    };
  }

  /**
   * Who is on a channel; and how to be there yourself.
   *
   * @example
   * await live.presence("tech_news").enter({ name: "Ada" });
   */
  presence(channel: string): Presence {
    this.#checkOpen();
    const { entrance, memberList } = this.#presences.of(channel);
    return {
      enter: async (info = null) => {
        this.#checkOpen();
        await entrance.enter(info);
      },
      leave: () => entrance.leave(),
      watch: (listener) => {
        this.#checkOpen();
        return memberList.watch(listener);
      },
    };
  }

  /**
   * Calls `listener` at every such event until the returned function is called.
   *
   * @example
   * const stop = live.on("state", (state) => banner.toggleAttribute("hidden", state === "online"));
   */
  on<Name extends keyof LiveEvents>(name: Name, listener: (value: LiveEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Ends all subscriptions and the connection. Publishing that was not answered by then rejects with OUTCOME_UNKNOWN. */
  close(): void {
    this.#endAll();
    this.#connection.close();
  }

  #send<Type extends Sendable>(frame: FrameOf<Type>, data: unknown, options: SendOptions): Promise<Result<Type>> {
    return send({ connection: this.#connection, environment: this.#environment, frame, data }, options);
  }

  #onState(state: ConnectionState): void {
    if (state === "online") for (const each of this.#resumables) each.ask();
    this.#events.emit("state", state);
  }

  #take(frame: ServerFrame): void {
    if ("member" in frame || "members" in frame || "what" in frame) this.#presences.take(frame);
    else if ("stream" in frame) this.#follows.take(frame);
    else if ("channel" in frame) this.#subscriptions.take(frame);
    else if (frame.type === "error") this.#events.emit("error", toError(frame));
  }

  #endAll(error?: ClientError): void {
    for (const each of this.#resumables) each.end(error);
  }

  #checkOpen(): void {
    if (this.state === "closed") throw closed("This client");
  }
}
