import type { Logger } from "../runtime/logger.ts";
import type { Subscriptions } from "../valkey/subscriptions.ts";
import { checkSubscribeOptionNames, type PatternSubscribeOptions } from "./options.ts";
import { Receiver, type MessageListener } from "./receiver.ts";
import type { Topic } from "./topic.ts";

/** How a topic is made and taken off Valkey again. */
export interface TopicSource<Made extends Topic<unknown>> {
  /** The channel or the pattern, in words: topics are known by it. */
  readonly subject: string;
  make(): Made;
  subscribe(subscriptions: Subscriptions, topic: Made): void;
  unsubscribe(subscriptions: Subscriptions): void;
}

// Clients that were all cut off at once come back within this time, to a window that is still there.
const lingerMs = 10_000;

/** The topics of this process: one for each channel or pattern that somebody listens to, and for a while after. */
export class Topics {
  readonly #subscriptions: () => Subscriptions;
  readonly #logger: Logger;
  readonly #topics = new Map<string, Topic<unknown>>();
  readonly #receivers = new Set<Receiver<unknown>>();
  readonly #lingering = new Map<string, NodeJS.Timeout>();

  constructor(subscriptions: () => Subscriptions, logger: Logger) {
    this.#subscriptions = subscriptions;
    this.#logger = logger;
  }

  /** A new receiver, which `attach` joins to the topic. Throws INVALID_OPTION. */
  join<Made extends Topic<unknown>>(
    source: TopicSource<Made>,
    { options, listener }: { readonly options: PatternSubscribeOptions; readonly listener: MessageListener<unknown> | undefined },
    attach: (topic: Made, receiver: Receiver<unknown>) => void,
  ): Receiver<unknown> {
    checkSubscribeOptionNames(options);
    const { subject } = source;
    const receiver = new Receiver<unknown>({
      ...options,
      subject,
      listener,
      logger: this.#logger,
      onClosed: (closed) => {
        this.#receivers.delete(closed);
        this.#topics.get(subject)?.detach(closed);
        this.#linger(source);
      },
    });
    this.#receivers.add(receiver);
    const topic = this.#topic(source);
    // Not before the caller has its subscription: what is replayed from memory would be handed over within this call.
    queueMicrotask(() => {
      if (!receiver.isClosed) attach(topic, receiver);
    });
    return receiver;
  }

  async close(): Promise<void> {
    for (const receiver of this.#receivers) receiver.close();
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    await Promise.all([...this.#topics.values()].map((topic) => topic.stop()));
  }

  #topic<Made extends Topic<unknown>>(source: TopicSource<Made>): Made {
    const { subject } = source;
    clearTimeout(this.#lingering.get(subject));
    this.#lingering.delete(subject);
    // One subject is always made by the same kind of source.
    const known = this.#topics.get(subject) as Made | undefined;
    if (known) return known;
    const topic = source.make();
    this.#topics.set(subject, topic);
    source.subscribe(this.#subscriptions(), topic);
    return topic;
  }

  #linger<Made extends Topic<unknown>>(source: TopicSource<Made>): void {
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
