import type { PoolClient } from "pg";
import { performance } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import { withoutPassword, type Logger } from "../../runtime/logger.ts";
import { delay, Notice, retryDelay } from "../../runtime/waiting.ts";
import type { Connections } from "./connections.ts";
import { isReadOnly } from "./failures.ts";
import { timed } from "./statement.ts";

// A server that answers, and takes writes. Of a standby this is "on" too.
const readReadOnly = { text: "SELECT current_setting('transaction_read_only') AS is_read_only" };
const answerWithinMs = 2_000;
/** An outage that comes so soon after another is the same one. */
const sameOutageMs = 10_000;

/** Whether PostgreSQL is there and takes writes: after a failure nobody asks it for more until it does again, which one probe finds out for all. */
export class Availability {
  readonly #connections: Connections;
  readonly #logger: Logger;
  readonly #closing: AbortSignal;
  readonly #available = new Notice();
  #isAvailable: boolean;
  #tries = 0;
  #backSince = -Infinity;

  /** One that nobody has said where it is (`isThere` is false) never comes. */
  constructor(
    connections: Connections,
    { logger, closing, isThere }: { readonly logger: Logger; readonly closing: AbortSignal; readonly isThere: boolean },
  ) {
    this.#connections = connections;
    this.#isAvailable = isThere;
    this.#logger = logger;
    this.#closing = closing;
    closing.addEventListener("abort", () => this.#available.notify());
  }

  get isAvailable(): boolean {
    return this.#isAvailable;
  }

  /** Resolves when PostgreSQL answers, or when `signal` or the end of this Keyline says not to wait. */
  async wait(signal?: AbortSignal, how?: { readonly mayEnd: boolean }): Promise<void> {
    while (!this.#isAvailable && !signal?.aborted && !this.#closing.aborted) {
      await this.#available.wait(1_000, signal, how);
    }
  }

  /** Notes that it is away, and returns whether that is news. */
  noteOutage(error: unknown): boolean {
    if (!this.#isAvailable || this.#closing.aborted) return false;
    this.#isAvailable = false;
    // What breaks off again as soon as it is back must not be asked, nor told of, without a pause.
    const isNew = performance.now() - this.#backSince > sameOutageMs;
    if (isNew) this.#tries = 0;
    const details = { error: withoutPassword(toError(error).message) };
    const level = isNew ? "warn" : "debug";
    if (isReadOnly(error)) this.#logger[level](details, "PostgreSQL is read-only; transactional queues wait until it takes writes");
    else this.#logger[level](details, "PostgreSQL is away; transactional queues wait for it");
    void this.#probe(isNew);
    return true;
  }

  async #probe(isNew: boolean): Promise<void> {
    do {
      await delay(retryDelay(this.#tries++, { first: 50, max: 1_000 }), this.#closing, { mayEnd: true });
    } while (!this.#closing.aborted && !(await this.#isBack()));
    this.#isAvailable = true;
    this.#backSince = performance.now();
    this.#available.notify();
    if (!this.#closing.aborted) this.#logger[isNew ? "info" : "debug"]({}, "PostgreSQL is back");
  }

  async #isBack(): Promise<boolean> {
    let client: PoolClient | undefined;
    let isBack = false;
    try {
      client = await this.#connections.take();
      const { rows } = await client.query<{ is_read_only: string }>(timed(readReadOnly, answerWithinMs));
      isBack = rows[0]?.is_read_only === "off";
      if (!isBack) this.#logger.debug({}, "PostgreSQL takes no writes yet");
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "PostgreSQL is still away");
    }
    // A session that is read-only by its settings stays so.
    if (client) this.#connections.release(client, isBack);
    return isBack;
  }
}
