import { clearTimeout, queueMicrotask, setTimeout } from "../runtime/clock.ts";
import type { ChannelCounts } from "../runtime/counters.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Seam } from "../runtime/probe.ts";
import { ProcessHold } from "../runtime/process-hold.ts";
import type { Subscriptions } from "../valkey/channel/subscriptions.ts";
import type { Position } from "../valkey/channel/channel-log.ts";
import type { PatternSubscribeOptions } from "./options.ts";
import { Receiver } from "./receiver.ts";
import type { MessageListener } from "./hear.ts";
import type { Topic } from "./topic.ts";

/** How a topic is made and taken off Valkey again. */
export interface TopicSource {
  /** The channel or the pattern, in words: topics are known by it. */
  readonly subject: string;
  /** The same for loggers. */
  readonly fields: object;
  /** Who must not be forgotten while there is the topic. */
  readonly owner: object;
  readonly counts: ChannelCounts;
  make(): Topic<unknown>;
  subscribe(subscriptions: Subscriptions, topic: Topic<unknown>): void;
  unsubscribe(subscriptions: Subscriptions): void;
}

interface Joining {
  readonly options: PatternSubscribeOptions;
  readonly listener: MessageListener<unknown> | undefined;
  readonly since?: Position | "earliest" | undefined;
}

// Clients that were all cut off at once come back within this time, to a window that is still there.
const lingerMs = 10_000;

/** The topics of this process: one for each channel or pattern that somebody listens to, and for a while after. */
export class Topics {
  readonly #subscriptions: () => Subscriptions;
  readonly #logger: Logger;
  readonly #seam: Seam;
  readonly #topics = new Map<string, Topic<unknown>>();
  readonly #receivers = new Set<Receiver<unknown>>();
  readonly #hold = new ProcessHold();
  readonly #lingering = new Map<string, NodeJS.Timeout>();

  constructor(subscriptions: () => Subscriptions, { logger, seam }: { readonly logger: Logger; readonly seam: Seam }) {
    this.#subscriptions = subscriptions;
    this.#logger = logger;
    this.#seam = seam;
  }

  /** A new receiver of the topic. Throws INVALID_OPTION. */
  join(source: TopicSource, { options, listener, since }: Joining): Receiver<unknown> {
    const { subject, counts, fields } = source;
    const receiver = new Receiver<unknown>({
      ...options,
      subject,
      fields,
      listener,
      counts,
      logger: this.#logger,
      seam: this.#seam,
      onClosed: (closed) => {
        this.#receivers.delete(closed);
        if (this.#receivers.size === 0) this.#hold.release();
        this.#topics.get(subject)?.detach(closed);
        this.#linger(source);
      },
    });
    this.#receivers.add(receiver);
    this.#hold.take();
    const topic = this.#topic(source);
    // Not before the caller has its subscription: what is replayed from memory would be handed over within this call.
    queueMicrotask(() => {
      if (!receiver.isClosed) topic.attach(receiver, since);
    });
    return receiver;
  }

  async close(): Promise<void> {
    for (const receiver of this.#receivers) receiver.close();
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    await Promise.all([...this.#topics.values()].map((topic) => topic.stop()));
  }

  #topic(source: TopicSource): Topic<unknown> {
    const { subject } = source;
    clearTimeout(this.#lingering.get(subject));
    this.#lingering.delete(subject);
    const known = this.#topics.get(subject);
    if (known) return known;
    const topic = source.make();
    this.#topics.set(subject, topic);
    source.subscribe(this.#subscriptions(), topic);
    return topic;
  }

  #linger(source: TopicSource): void {
    const { subject } = source;
    const topic = this.#topics.get(subject);
    if (!topic?.isIdle || this.#lingering.has(subject)) return;
    const end = (): void => {
      this.#lingering.delete(subject);
      if (!topic.isIdle) return;
      this.#topics.delete(subject);
      source.unsubscribe(this.#subscriptions());
      void topic.stop();
    };
    this.#lingering.set(subject, setTimeout(end, lingerMs).unref());
  }
}
