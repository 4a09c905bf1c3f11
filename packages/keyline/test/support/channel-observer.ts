import type { Channel, Gap, Message, Subscription } from "keyline";

/** What a subscriber was told, in order. */
export type Told =
  { readonly id: string; readonly cursor: string | undefined } | { readonly gap: Gap["reason"]; readonly missed: number | undefined };

/**
 * A subscriber that now and then goes away and comes back with its cursor, and writes down all that it is told. `check` compares that with
 * what was published and what is kept.
 */
export class ChannelObserver {
  readonly told: Told[] = [];
  readonly #channel: Channel<unknown>;
  #subscription: Subscription | undefined;
  #cursor: string | undefined;

  constructor(channel: Channel<unknown>) {
    this.#channel = channel;
  }

  get ids(): string[] {
    return this.told.flatMap((told) => ("id" in told ? [told.id] : []));
  }

  get gaps(): Gap["reason"][] {
    return this.told.flatMap((told) => ("gap" in told ? [told.gap] : []));
  }

  async come(): Promise<void> {
    const take = ({ id, cursor }: Message): void => void this.told.push({ id, cursor });
    this.#subscription = this.#channel.subscribe(take, {
      since: this.#cursor,
      onGap: ({ reason, missed }) => this.told.push({ gap: reason, missed }),
    });
    await this.#subscription.ready;
  }

  async go(): Promise<void> {
    await this.#subscription?.close();
    this.#cursor = this.#subscription?.cursor;
    this.#subscription = undefined;
  }

  /**
   * The faults that this subscriber has to complain about:
   * - a message twice, or messages not in the order in which they are kept;
   * - a message that is kept, or one whose publisher was told that it is published, which it never got, without a gap in its place.
   */
  faults({ kept, published }: { readonly kept: readonly string[]; readonly published: readonly string[] }): string[] {
    const faults: string[] = [];
    const { ids } = this;
    const got = new Set(ids);
    if (got.size !== ids.length) faults.push(`${ids.length - got.size} came twice`);
    const places = new Map(kept.map((id, place) => [id, place]));
    let last = -1;
    for (const id of ids) {
      const place = places.get(id);
      if (place === undefined) continue;
      if (place < last) faults.push(`${id} came too late`);
      last = place;
    }
    const missing = kept.filter((id) => !got.has(id));
    if (missing.length > 0)
      faults.push(`${missing.length} that are kept never came, the first is number ${kept.indexOf(missing[0] ?? "")}`);
    const lost = published.filter((id) => !got.has(id));
    if (lost.length > 0 && this.gaps.length === 0) faults.push(`${lost.length} that were published never came, and no gap was announced`);
    return faults;
  }
}
