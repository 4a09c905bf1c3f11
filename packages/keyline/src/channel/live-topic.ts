import type { KeylineError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { PubSubListener } from "../valkey/channel/subscriber.ts";
import { Audience, type HandedOut } from "./audience.ts";
import { InOrder } from "./in-order.ts";
import { readMessage, type MessageReader } from "./message.ts";
import type { Receiver } from "./receiver.ts";
import type { Topic } from "./topic.ts";

/** The messages of a channel without history, or of a pattern, on their way to the receivers in this process. */
export class LiveTopic<Data> implements Topic<Data>, PubSubListener {
  readonly #subject: string;
  readonly #readerOf: (pubSubChannel: string) => { readonly channel: string; readonly reader: MessageReader<Data> };
  readonly #logger: Logger;
  readonly #audience: Audience<Data>;
  readonly #waiting = new Set<Receiver<Data>>();
  readonly #inOrder = new InOrder();
  #isConnected = false;
  /** What keeps it from being connected until somebody mends it. */
  #fault: KeylineError | undefined;
  /** What was published since the connection broke is missing, once there are receivers to tell. */
  #hasGap = false;

  constructor(
    subject: string,
    {
      readerOf,
      tally,
      logger,
    }: {
      readonly readerOf: (pubSubChannel: string) => { readonly channel: string; readonly reader: MessageReader<Data> };
      readonly tally: HandedOut;
      readonly logger: Logger;
    },
  ) {
    this.#subject = subject;
    this.#readerOf = readerOf;
    this.#audience = new Audience<Data>(tally);
    this.#logger = logger;
  }

  get isIdle(): boolean {
    return this.#audience.isEmpty && this.#waiting.size === 0;
  }

  attach(receiver: Receiver<Data>): void {
    if (this.#fault) return receiver.close(this.#fault);
    if (!this.#isConnected) {
      this.#waiting.add(receiver);
      return;
    }
    this.#audience.add(receiver);
    receiver.begin(undefined);
  }

  detach(receiver: Receiver<Data>): void {
    this.#waiting.delete(receiver);
    this.#audience.delete(receiver);
  }

  onMessage(text: string, pubSubChannel: string): void {
    const { channel, reader } = this.#readerOf(pubSubChannel);
    const raw = readMessage(channel, text, this.#logger);
    if (!raw) return;
    this.#inOrder.use(reader.read(raw), (message) => {
      if (message) this.#audience.offer(message);
    });
  }

  onConnected(): void {
    this.#isConnected = true;
    this.#fault = undefined;
    const hadGap = this.#hasGap;
    this.#hasGap = false;
    // Behind messages whose schema is still at work.
    this.#inOrder.use(undefined, () => {
      if (hadGap) this.#audience.offerGap({ channel: this.#subject, reason: "disconnected", missed: undefined, cursor: undefined });
      for (const receiver of this.#waiting) {
        this.#audience.add(receiver);
        receiver.begin(undefined);
      }
      this.#waiting.clear();
    });
  }

  onDisconnected(): void {
    this.#isConnected = false;
    this.#hasGap ||= !this.#audience.isEmpty;
  }

  /** Whoever has begun is told of a gap when it is over; whoever has not will not begin. */
  onRefused(fault: KeylineError): void {
    this.#fault = fault;
    for (const receiver of this.#waiting) receiver.close(fault);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
