/*
 * DESIGN. The stream of ends is followed as long as somebody waits. The numbers of its entries are one after the other, so an entry that follows the
 * last one known proves that none was missed. Where that is not so (more ended at once than the stream keeps, the connection broke, Valkey was flushed, or a replica
 * took over that did not have the last ones and gave their numbers once more) the stream is read from the last entry on; is that not there any more,
 * as it was, then whoever waits has to look what became of his job. The same where another memory answers after a break: what the one before has told last,
 * nobody here may have heard, and then its numbers show nothing.
 */
import { performance, setImmediate } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import { isConnectionError } from "../../valkey/client/connection.ts";
import type { StreamTails } from "../../valkey/client/stream-tails.ts";
import type { Wake } from "../../valkey/client/tail-waiters.ts";
import { readEnd, type End } from "../../valkey/queue/ends.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

interface EndsEvents {
  ended(end: End): void;
  /** Some may have been missed. */
  lookAgain(): void;
}

const page = 500;
const burstMs = 2;

/** Tells what ends on a queue, from `begin` on. */
export class EndsTail {
  readonly #store: QueueStore;
  readonly #tails: StreamTails;
  readonly #logger: Logger;
  readonly #events: EndsEvents;
  readonly #stopping = new AbortController();
  #last: Pick<End, "entry" | "id"> = { entry: "0-0", id: "" };
  /** The memory that the last entry is of; undefined where this user may not know. */
  #memory: string | undefined;
  #leave: (() => void) | undefined;
  #toldAt = 0;
  #isReading = false;
  #isToRead = false;
  #isBroken = false;

  constructor(store: QueueStore, parts: { readonly tails: StreamTails; readonly logger: Logger; readonly events: EndsEvents }) {
    this.#store = store;
    this.#tails = parts.tails;
    this.#logger = parts.logger;
    this.#events = parts.events;
  }

  /** Resolves when whatever ends from now on will be told. Rejects when Valkey refuses that. */
  async begin(): Promise<void> {
    await this.#beginAnew();
    if (!this.#stopping.signal.aborted) this.#join();
  }

  stop(): void {
    this.#stopping.abort();
    this.#leave?.();
  }

  #wake(why: Wake): void {
    if (why === "broken") this.#isBroken = true;
    if (typeof why === "string") return this.#readSoon();
    const end = readEnd(why[0], why[1]);
    const distance = distanceOf(this.#last.entry, end.entry);
    if (distance === 1) {
      this.#follow(end);
      // In a burst one after the other would take too long. Whoever was told goes on first: it is a write to a socket.
      const now = performance.now();
      if (now - this.#toldAt < burstMs) setImmediate(() => this.#readSoon());
      this.#toldAt = now;
    } else if (distance === undefined || distance > 1) {
      // It is asked for once more, from behind this one: what lies between is read now.
      this.#readSoon();
    }
  }

  #follow(end: End): void {
    this.#last = { entry: end.entry, id: end.id };
    this.#events.ended(end);
  }

  #readSoon(): void {
    this.#isToRead = true;
    if (this.#isReading || this.#stopping.signal.aborted) return;
    this.#isReading = true;
    void this.#readAll();
  }

  async #readAll(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 0; this.#isToRead && !signal.aborted;) {
      this.#isToRead = false;
      try {
        if (!(await this.#store.connection.whenReady(60_000, signal))) this.#isToRead = true;
        else await this.#read();
        failures = 0;
      } catch (error) {
        this.#isToRead = true;
        this.#logger.debug({ error: toError(error).message }, "what has ended could not be read; it is tried again");
        await delay(retryDelay(failures++, { first: 50 }), signal);
      }
    }
    this.#isReading = false;
  }

  /** What came behind the last entry, if that is still there as it was. */
  async #read(): Promise<void> {
    const isSame = !this.#isBroken || (await this.#isSameMemory());
    const asked = this.#last;
    const ends = isSame ? await this.#store.ends.from(asked.entry, page) : [];
    if (this.#stopping.signal.aborted) return;
    const [first] = ends;
    const isUnbroken = first?.entry === asked.entry && first.id === asked.id;
    if (isUnbroken) {
      // Some may have been told meanwhile.
      for (const end of ends) if (distanceOf(this.#last.entry, end.entry) === 1) this.#follow(end);
      if (ends.length === page) this.#isToRead = true;
      return;
    }
    await this.#beginAnew();
    if (this.#stopping.signal.aborted) return;
    // Its place may be before the one that is waited behind.
    this.#leave?.();
    this.#join();
    this.#events.lookAgain();
  }

  async #isSameMemory(): Promise<boolean> {
    const memory = await this.#readMemory();
    this.#isBroken = false;
    return memory !== undefined && memory === this.#memory;
  }

  // First the memory: one that is lost in between is noticed at the next break.
  async #beginAnew(): Promise<void> {
    [this.#memory, this.#last] = await Promise.all([this.#readMemory(), this.#store.ends.begin()]);
  }

  async #readMemory(): Promise<string | undefined> {
    try {
      return await this.#store.memory.epoch(randomTag(12));
    } catch (error) {
      if (isConnectionError(error)) throw error;
      return undefined;
    }
  }

  #join(): void {
    const place = (): string => this.#last.entry;
    this.#leave = this.#tails.follow(this.#store.ends.key, {
      get after(): string {
        return place();
      },
      wake: (why) => this.#wake(why),
    });
  }
}

/** By how many places `to` is behind `from`; undefined where they are not of one stream. */
function distanceOf(from: string, to: string): number | undefined {
  const dash = from.indexOf("-");
  if (!to.startsWith(from.slice(0, dash + 1))) return undefined;
  return Number(to.slice(dash + 1)) - Number(from.slice(dash + 1));
}
