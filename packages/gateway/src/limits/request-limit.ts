/*
 * One counter in Valkey per visitor and window, which all gateways share. SET NX and INCR travel together; there is no script, so that a
 * gateway's user on Valkey needs no right to run any. While Valkey is away each gateway counts alone: a job for a transactional
 * queue is taken then too.
 */
import { messageOf } from "../server/message-of.ts";
import type { Keyline, Logger } from "keyline";
import { Problem } from "../server/problem.ts";
import { largestFrameBytes } from "./options.ts";

const mostRemembered = 10_000;
const patienceMs = 500;
const alonePeriodMs = 2_000;

interface Count {
  readonly window: number;
  requests: number;
  /** Of WebSocket frames. */
  bytes: number;
}

export class RequestLimit {
  readonly #keyline: Keyline;
  readonly #logger: Logger;
  readonly #max: number;
  readonly #perMs: number;
  /** What this gateway has counted, and the last that Valkey told. Bounded: forgetting somebody costs a round trip. */
  readonly #counts = new Map<string, Count>();
  #aloneUntil = 0;

  constructor(setup: { readonly keyline: Keyline; readonly logger: Logger; readonly max: number; readonly perMs: number }) {
    this.#keyline = setup.keyline;
    this.#logger = setup.logger;
    this.#max = setup.max;
    this.#perMs = setup.perMs;
  }

  /**
   * Counts the opening of a live connection, here alone: a thousand that come back at once after an outage ask nothing of Valkey. How many may
   * be open is limited besides. Throws a 429 problem beyond the limit.
   */
  takeHere(visitor: string): void {
    const now = Date.now();
    const window = Math.floor(now / this.#perMs);
    const count = this.#countOf(visitor, window);
    count.requests++;
    if (count.requests > this.#max) throw this.#refusal(window, now);
  }

  /**
   * Counts the bytes of a WebSocket frame, here alone. False where a visitor has sent more than all the requests that it has could hold: most
   * frames that are no requests are tiny, but they may be made as large.
   */
  takeBytesHere(visitor: string, bytes: number): boolean {
    const count = this.#countOf(visitor, Math.floor(Date.now() / this.#perMs));
    count.bytes += bytes;
    return count.bytes <= this.#max * largestFrameBytes;
  }

  /** Counts one request. Throws a 429 problem beyond the limit, with the seconds after which the next window begins. */
  async take(visitor: string): Promise<void> {
    const now = Date.now();
    const window = Math.floor(now / this.#perMs);
    const count = this.#countOf(visitor, window);
    count.requests++;
    // Whoever is over the limit stays over it until the window ends: no need to ask, so a flood does not reach Valkey.
    if (count.requests <= this.#max && now >= this.#aloneUntil) {
      const counted = await this.#countInValkey(visitor, window);
      // Only now is it looked at what this gateway has counted: meanwhile others of the same visitor were.
      if (counted !== undefined) count.requests = Math.max(count.requests, counted);
    }
    if (count.requests > this.#max) throw this.#refusal(window, now);
  }

  /** Throws the 429 problem of a visitor that has had all its requests, and counts nothing. */
  refuseBeyond(visitor: string): void {
    const now = Date.now();
    const window = Math.floor(now / this.#perMs);
    const known = this.#counts.get(visitor);
    if (known?.window === window && known.requests >= this.#max) throw this.#refusal(window, now);
  }

  #refusal(window: number, now: number): Problem {
    const waitMs = (window + 1) * this.#perMs - now;
    return new Problem({ title: "Too many requests", status: 429, code: "RATE_LIMITED" }, Math.max(1, Math.ceil(waitMs / 1_000)));
  }

  #countOf(visitor: string, window: number): Count {
    const known = this.#counts.get(visitor);
    if (known?.window === window) return known;
    // Put behind the others, so that the first is the one that began to be counted longest ago.
    this.#counts.delete(visitor);
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined && this.#counts.size >= mostRemembered) this.#counts.delete(oldest);
    const count = { window, requests: 0, bytes: 0 };
    this.#counts.set(visitor, count);
    return count;
  }

  async #countInValkey(visitor: string, window: number): Promise<number | undefined> {
    const key = `${this.#keyline.prefix}:gateway:requests:${visitor}:${window}`;
    try {
      const [, total] = await withinPatience(
        Promise.all([this.#keyline.command("SET", key, 0, "PX", this.#perMs, "NX"), this.#keyline.command("INCR", key)]),
      );
      return Number(total);
    } catch (error) {
      if (Date.now() >= this.#aloneUntil)
        this.#logger.warn({ error: messageOf(error) }, "requests are counted by this gateway alone: Valkey does not answer");
      this.#aloneUntil = Date.now() + alonePeriodMs;
      return undefined;
    }
  }
}

async function withinPatience<Result>(answer: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${patienceMs} ms`)), patienceMs);
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}
