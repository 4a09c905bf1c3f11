import type { Duty } from "../runtime/duty.ts";
import { toError } from "../runtime/errors.ts";
import { randomTag } from "../runtime/ids.ts";
import type { Logger } from "../runtime/logger.ts";
import { delay, Notice, retryDelay } from "../runtime/waiting.ts";
import type { Beat, QueueLists } from "../valkey/queue-lists.ts";

const page = 200;

export interface LeaseEvents {
  /** A lease has begun, under a name that was never used before. */
  began(): void;
  renewed(beat: Beat): void;
  /** The lease is over: what was held under its name belongs to others now. */
  lost(): void;
}

/**
 * The duty that keeps a worker's lease alive. A lease that was lost is never taken up again: the next one has another name, and so
 * another held list, which nothing that is left of the old one can touch.
 */
export class Lease implements Duty {
  readonly #lists: QueueLists;
  readonly #leaseMs: number;
  readonly #logger: Logger;
  readonly #events: LeaseEvents;
  readonly #stopping = new AbortController();
  readonly #wake = new Notice();
  #name = "";
  #isHeld = false;
  #certainUntil = 0;
  #loop: Promise<void> | undefined;

  constructor(lists: QueueLists, leaseMs: number, { logger, events }: { readonly logger: Logger; readonly events: LeaseEvents }) {
    this.#lists = lists;
    this.#leaseMs = leaseMs;
    this.#logger = logger;
    this.#events = events;
  }

  /** The worker's name under this lease. */
  get name(): string {
    return this.#name;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** False when this process was stopped or cut off for so long that others may have taken over. */
  get isCertain(): boolean {
    return this.#isHeld && performance.now() < this.#certainUntil;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    this.#isHeld = false;
  }

  /** Asks the server. Returns false when the lease is lost, true when it goes on or the server could not be asked. */
  async confirm(): Promise<boolean> {
    try {
      await this.beat();
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "a lease could not be confirmed");
      return true;
    }
    return this.#isHeld;
  }

  /** Returns what is held under the lease to the head of the queue, and ends it. */
  async giveBack(): Promise<void> {
    if (!this.#isHeld || !this.#lists.connection.isReady) return;
    try {
      for (let left = 1; left > 0;) left = (await this.#lists.returnHeld(this.#name, page, "leaving"))?.left ?? 0;
    } catch (error) {
      this.#logger.warn({ error: toError(error).message }, "jobs could not be given back; they are when the lease ends");
    }
  }

  /** Renews the lease now. */
  async beat(): Promise<void> {
    const name = this.#name;
    const sentAt = performance.now();
    const beat = await this.#lists.beat(name, this.#leaseMs);
    // Not when it was given back while this was under way.
    if (name !== this.#name || !this.#isHeld || this.#stopping.signal.aborted) return;
    if (!beat) return this.lose();
    this.#certainUntil = sentAt + this.#leaseMs;
    this.#events.renewed(beat);
  }

  /** Begins a new lease after one was lost, without waiting for the next renewal. */
  renew(): void {
    this.#wake.notify();
  }

  /** Notes that a reply said so. */
  lose(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#events.lost();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let tries = 0; !signal.aborted;) {
      try {
        if (!this.#isHeld) {
          if (!(await this.#lists.connection.whenReady(60_000, signal))) continue;
          await this.#begin();
        } else {
          await this.beat();
        }
        tries = 0;
      } catch (error) {
        tries++;
        this.#logger.debug({ error: toError(error).message }, "a lease could not be renewed; trying again");
      }
      if (tries > 0) await delay(retryDelay(tries), signal);
      else if (this.#isHeld) await this.#wake.wait(this.#leaseMs / 3, signal);
    }
  }

  async #begin(): Promise<void> {
    const name = `${process.pid}-${randomTag(12)}`;
    // What is left under the old name is nobody's: a move that was under way when the lease was lost may have brought it.
    if (this.#name !== "") await this.#lists.returnHeld(this.#name, page, "straggler");
    const sentAt = performance.now();
    await this.#lists.register(name, this.#leaseMs);
    this.#name = name;
    this.#certainUntil = sentAt + this.#leaseMs;
    this.#isHeld = true;
    if (!this.#stopping.signal.aborted) this.#events.began();
  }
}
