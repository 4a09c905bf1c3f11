/*
 * DESIGN. Channels are made by the thousand, for users and for pages, so only those are counted that somebody has listed (`channel.list()`), in whichever process. A process that publishes or receives
 * reads that list once a minute at the most, with one command for all its channels. What it does with a channel before it knows that it is listed is not counted.
 */
import type { Figures } from "../figures/figures.ts";
import { Flusher } from "../figures/flusher.ts";
import { performance } from "../runtime/clock.ts";
import { ChannelCounts } from "../runtime/counters.ts";
import { toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { NameSet } from "../valkey/directory/name-set.ts";

const lookEveryMs = 60_000;

/** Which channels are listed, as far as this process has heard. */
export class ListedChannels {
  readonly #names: NameSet;
  readonly #logger: Logger;
  #listed: ReadonlySet<string> = new Set();
  readonly #own = new Set<string>();
  #nextLook = -Infinity;
  readonly tallies = new Set<ChannelTally>();

  constructor(names: NameSet, logger: Logger) {
    this.#names = names;
    this.#logger = logger;
  }

  has(name: string): boolean {
    const now = performance.now();
    if (now >= this.#nextLook && this.#names.connection.isReady) {
      this.#nextLook = now + lookEveryMs;
      void this.#look();
    }
    return this.#listed.has(name) || this.#own.has(name);
  }

  /** This process has listed it. */
  add(name: string): void {
    this.#own.add(name);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.tallies].map((tally) => tally.stop()));
  }

  async #look(): Promise<void> {
    try {
      this.#listed = new Set((await this.#names.read()).map(({ name }) => name));
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "the list of channels could not be read");
    }
  }
}

/** What this process does with a channel, counted in memory where the channel is listed. */
export class ChannelTally {
  /** The same of any channel, for whoever reads metrics: it is never written down. */
  readonly counts = new ChannelCounts();
  readonly #name: string;
  readonly #listed: ListedChannels;
  readonly #flusher: Flusher;
  #published = 0;
  #received = 0;

  constructor(
    name: string,
    { listed, figures, logger }: { readonly listed: ListedChannels; readonly figures: Figures; readonly logger: Logger },
  ) {
    this.#name = name;
    this.#listed = listed;
    this.#flusher = new Flusher(figures, { take: () => this.#take(), logger });
  }

  notePublished(messages: number): void {
    this.counts.published += messages;
    if (!this.#listed.has(this.#name)) return;
    this.#published += messages;
    this.#touch();
  }

  /** One message was handed to so many subscriptions. */
  noteReceived(subscriptions: number): void {
    this.counts.noteReceived();
    if (subscriptions === 0 || !this.#listed.has(this.#name)) return;
    this.#received += subscriptions;
    this.#touch();
  }

  /** Writes what there is. */
  stop(): Promise<void> {
    return this.#flusher.stop();
  }

  #touch(): void {
    this.#listed.tallies.add(this);
    this.#flusher.touch();
  }

  #take(): Map<string, number> {
    const counts = { published: this.#published, received: this.#received };
    this.#published = this.#received = 0;
    this.#listed.tallies.delete(this);
    return new Map(Object.entries(counts).filter(([, count]) => count > 0));
  }
}
