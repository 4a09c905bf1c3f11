import { ClientError } from "../client-error.ts";
import type { ClientFrame, FollowFrame, Refusal, SubscriptionFrame } from "../connection/frames.ts";
import type { ResumableParts } from "../connection/resumable.ts";
import { call } from "../runtime/call.ts";
import { Inbox } from "./inbox.ts";
import { isGap, type Item } from "./item.ts";
import { OpenSubscription, type Receiver } from "./open-subscription.ts";

/** How the protocol speaks of channels, and of streams. */
export interface Words {
  readonly kind: "channel" | "stream";
  readonly begin: "subscribe" | "follow";
  readonly end: "unsubscribe" | "unfollow";
  readonly place: "since" | "after";
}

interface Options {
  readonly since?: string | undefined;
  readonly after?: string | number | Date | undefined;
  readonly key?: string | undefined;
  readonly onGap?: ((gap: never) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly buffer?: number | undefined;
}

/** Options, or a listener, whose options then come behind it. */
export type Choice<Value> = Options | ((value: Value) => void);

/** It has the name that is of its kind. */
type Named = OpenSubscription & { readonly channel: string; readonly stream: string };

type Opened<Value> = Named & AsyncIterable<Value, undefined>;

/**
 * Brings frames to the subscriptions that are open. The first of a channel goes by the channel's name alone, so that the gateway can write the same frame
 * to all who do; further ones have numbers, which make their frames their own. With streams it is the same.
 */
export class Subscriptions {
  readonly #parts: ResumableParts;
  readonly #words: Words;
  /** By number, or by name; one that goes by its name also after its end, until no frame for it can come any more. */
  readonly #byAddress = new Map<number | string | undefined, OpenSubscription>();
  #nextNumber = 1;

  constructor(parts: ResumableParts, words: Words) {
    this.#parts = parts;
    this.#words = words;
  }

  /** With a listener what is returned cannot be iterated. What Value is, the caller says: JSON has no types. */
  open<Value>(name: string, first: Choice<Value>, options: Options): Opened<Value> {
    if (typeof first !== "function") return this.#iterate(name, first);
    const subscription = this.#create(name, options);
    subscription.open({
      take: (item: Item) => {
        subscription.handOver(item, true);
        if (!isGap(item)) call(first, item as Value);
        return true;
      },
    } satisfies Receiver);
    return subscription as Opened<Value>;
  }

  take(frame: SubscriptionFrame | FollowFrame | Refusal): void {
    this.#byAddress.get(frame.sub ?? ("stream" in frame ? frame.stream : frame.channel))?.take(frame);
  }

  #iterate<Value>(name: string, options: Options): Opened<Value> {
    const { buffer = 1_000 } = options;
    if (!Number.isSafeInteger(buffer) || buffer < 1) {
      throw new ClientError("INVALID_OPTION", `buffer must be a whole number above 0, not ${String(buffer)}`);
    }
    const subscription = this.#create(name, options);
    const inbox = new Inbox<Value>(subscription, buffer);
    subscription.open(inbox);
    return Object.assign(subscription, { [Symbol.asyncIterator]: () => inbox });
  }

  #create(name: string, options: Options): Named {
    const { environment, resumables, link, onError } = this.#parts;
    const { kind, begin, end, place } = this.#words;
    const sub = this.#byAddress.has(name) ? this.#nextNumber++ : undefined;
    const key = sub ?? name;
    // Frames of a kind have all words of that kind.
    const send = (type: string, more?: object): void => link()?.send({ type, [kind]: name, sub, ...more } as unknown as ClientFrame);
    const onGone = (): void => {
      this.#byAddress.delete(key);
      resumables.delete(subscription);
    };
    const subscription = new OpenSubscription({
      ...options,
      since: options[place]?.valueOf().toString(),
      name,
      environment,
      askFor: (since) => send(begin, { [place]: since, key: options.key }),
      // A stream has all that there was no room for, however much it is.
      pause: kind === "stream" ? () => send(end) : undefined,
      onEnd: (error) => {
        // A number is never used again, a name is.
        if (sub) onGone();
        send(end);
        if (error) onError(error);
      },
      onGone,
    });
    this.#byAddress.set(key, subscription);
    resumables.add(subscription);
    return Object.assign(subscription, { [kind]: name }) as unknown as Named;
  }
}
