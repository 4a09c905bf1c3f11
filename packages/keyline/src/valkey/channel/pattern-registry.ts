import { performance } from "../../runtime/clock.ts";
import { randomTag } from "../../runtime/ids.ts";
import { delay } from "../../runtime/waiting.ts";
import type { ValkeyConnection } from "../client/connection.ts";

const knownForMs = 1_000;
const leaseMs = 10_000;
const renewEveryMs = 3_000;

/**
 * Who on a cluster subscribed to patterns. Sharded messages do not reach patterns, so a publisher has to publish them once more for
 * those; it asks here at most once a second, and only then pays for it.
 *
 * A subscriber is entered first and begins two seconds later: by then every publisher has asked again. Its entry is a
 * lease, so that one that died is forgotten. Should the cluster forget an entry whose process lives, it finds that out when it renews.
 */
export class PatternRegistry {
  readonly #key: string;
  readonly #connection: ValkeyConnection;
  readonly #id = randomTag(12);
  #known: { readonly until: number; readonly answer: Promise<boolean> } | undefined;
  #entered: { readonly begun: Promise<void>; readonly leaving: AbortController } | undefined;
  /** Publishers may not have known of this process for a while. */
  onForgotten: (() => void) | undefined;
  /** Every publisher knows of this process again. */
  onKnown: (() => void) | undefined;

  constructor({ prefix, commands }: { readonly prefix: string; readonly commands: ValkeyConnection }) {
    this.#key = `${prefix}:pattern-subscribers`;
    this.#connection = commands;
  }

  /** Whether anybody is entered, as of a second ago at the most. Where that cannot be found out it is assumed, which costs a broadcast. */
  hasSubscribers(): Promise<boolean> {
    const now = performance.now();
    if (this.#known && this.#known.until > now) return this.#known.answer;
    const answer = this.#ask().catch(() => true);
    this.#known = { until: now + knownForMs, answer };
    return answer;
  }

  /** Resolves when every publisher knows of this process, or when it left meanwhile. */
  enter(): Promise<void> {
    if (!this.#entered) {
      const leaving = new AbortController();
      this.#entered = { begun: this.#enter(leaving.signal), leaving };
      void this.#entered.begun.then(() => this.#keep(leaving.signal));
    }
    return this.#entered.begun;
  }

  /** Publishers need not care for this process any more. */
  async leave(): Promise<void> {
    if (!this.#entered) return;
    this.#entered.leaving.abort();
    this.#entered = undefined;
    if (this.#connection.isReady) await this.#connection.client.zrem(this.#key, this.#id).catch(() => undefined);
  }

  close(): Promise<void> {
    return this.leave();
  }

  async #enter(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#renew();
        break;
      } catch {
        await delay(500, signal);
      }
    }
    await delay(2 * knownForMs, signal);
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(renewEveryMs, signal);
      if (signal.aborted) return;
      const wasForgotten = await this.#renew().catch(() => false);
      if (!wasForgotten) continue;
      this.onForgotten?.();
      await delay(2 * knownForMs, signal);
      if (!signal.aborted) this.onKnown?.();
    }
  }

  /** Returns whether the entry was not there. */
  async #renew(): Promise<boolean> {
    const { client } = this.#connection;
    const now = await this.#serverMs();
    const added = await client.zadd(this.#key, now + leaseMs, this.#id);
    await client.zremrangebyscore(this.#key, "-inf", now);
    return added === 1;
  }

  async #ask(): Promise<boolean> {
    return (await this.#connection.client.zcount(this.#key, await this.#serverMs(), "+inf")) > 0;
  }

  // A cluster's nodes share a clock well enough for a lease of ten seconds.
  async #serverMs(): Promise<number> {
    const [seconds, micros] = await this.#connection.client.time();
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }
}
