import { randomTag } from "../runtime/ids.ts";
import { delay } from "../runtime/waiting.ts";
import type { ValkeyConnection } from "./connection.ts";

const knownForMs = 1_000;
const leaseMs = 10_000;
const renewEveryMs = 3_000;

/**
 * Who on a cluster subscribed to patterns. Sharded messages do not reach patterns, so a publisher has to publish them once more for
 * those; it asks here at most once a second, and only then pays for it.
 *
 * A subscriber is entered first and begins two seconds later: by then every publisher has asked again. Its entry is a
 * lease, so that one that died is forgotten.
 */
export class PatternRegistry {
  readonly #key: string;
  readonly #connection: ValkeyConnection;
  readonly #id = randomTag(12);
  readonly #stopping = new AbortController();
  #known: { readonly until: number; readonly answer: Promise<boolean> } | undefined;
  #entered: Promise<void> | undefined;
  #renewal: NodeJS.Timeout | undefined;

  constructor({ prefix, commands }: { readonly prefix: string; readonly commands: ValkeyConnection }) {
    this.#key = `${prefix}:pattern-subscribers`;
    this.#connection = commands;
  }

  /** Whether anybody is entered, as of a second ago at the most. Rejects when that cannot be found out. */
  hasSubscribers(): Promise<boolean> {
    const now = performance.now();
    if (this.#known && this.#known.until > now) return this.#known.answer;
    const answer = this.#ask();
    this.#known = { until: now + knownForMs, answer };
    answer.catch(() => (this.#known = undefined));
    return answer;
  }

  /** Resolves when every publisher knows of this process. */
  enter(): Promise<void> {
    this.#entered ??= this.#enter();
    return this.#entered;
  }

  async leave(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#renewal);
    if (this.#entered && this.#connection.isReady) await this.#connection.client.zrem(this.#key, this.#id).catch(() => undefined);
  }

  async #enter(): Promise<void> {
    this.#renewal = setInterval(() => void this.#renew().catch(() => undefined), renewEveryMs).unref();
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#renew();
        break;
      } catch {
        await delay(500, this.#stopping.signal);
      }
    }
    await delay(2 * knownForMs, this.#stopping.signal);
  }

  async #renew(): Promise<void> {
    const { client } = this.#connection;
    const now = await this.#serverMs();
    await client.zadd(this.#key, now + leaseMs, this.#id);
    await client.zremrangebyscore(this.#key, "-inf", now);
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
