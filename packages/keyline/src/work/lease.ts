import { performance } from "../runtime/clock.ts";
import type { Duty } from "../runtime/duty.ts";
import { toError } from "../runtime/errors.ts";
import { randomTag } from "../runtime/ids.ts";
import type { Logger } from "../runtime/logger.ts";
import { delay, Notice, retryDelay } from "../runtime/waiting.ts";

/** Where leases are kept. */
export interface LeaseKeeper<Beat> {
  readonly isReady: boolean;
  whenReady(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** Calls `listener` with what keeps the store from being used until somebody mends it, until the returned function is called. */
  onFault(listener: (fault: Error) => void): () => void;
  /** What somebody has to mend, where an error tells of that. */
  faultOf(error: unknown): Error | undefined;
  /** Registers `name`. Whatever is left under the previous name ("" for none) belongs to nobody any more. */
  begin(name: string, before: string): Promise<void>;
  /** Renews the lease; undefined when it is lost. */
  beat(name: string): Promise<Beat | undefined>;
  /** Gives back what is held under the lease, and ends it. */
  giveBack(name: string): Promise<void>;
}

export interface LeaseEvents<Beat> {
  /** A lease has begun, under a name that was never used before. */
  began(): void;
  renewed(beat: Beat): void;
  /** No lease can be had until somebody mends this. */
  failed(fault: Error): void;
  /** The lease is over: what was held under its name belongs to others now. */
  lost(): void;
}

/**
 * The duty that keeps the lease of a worker or a consumer alive. A lease that was lost is never taken up again: the next one has another name, and so
 * nothing in common with what is left of the old one.
 */
export class Lease<Beat> implements Duty {
  readonly #keeper: LeaseKeeper<Beat>;
  readonly #leaseMs: number;
  readonly #logger: Logger;
  readonly #events: LeaseEvents<Beat>;
  readonly #stopping = new AbortController();
  readonly #wake = new Notice();
  #name = "";
  #isHeld = false;
  #certainUntil = 0;
  #loop: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;

  constructor(
    keeper: LeaseKeeper<Beat>,
    leaseMs: number,
    { logger, events }: { readonly logger: Logger; readonly events: LeaseEvents<Beat> },
  ) {
    this.#keeper = keeper;
    this.#leaseMs = leaseMs;
    this.#logger = logger;
    this.#events = events;
  }

  /** The name under this lease. */
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
    this.#stopListening ??= this.#keeper.onFault((fault) => this.#events.failed(fault));
    this.#loop ??= this.#run();
  }

  /** Gives back what is held under the lease, and ends it; also one that began while it was told to stop. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#stopListening?.();
    await this.#loop;
    await this.#giveBack();
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

  /** Renews the lease now. */
  async beat(): Promise<void> {
    const name = this.#name;
    const sentAt = performance.now();
    const beat = await this.#keeper.beat(name);
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
          if (!(await this.#keeper.whenReady(60_000, signal))) continue;
          await this.#begin();
        } else {
          await this.beat();
        }
        tries = 0;
      } catch (error) {
        const fault = this.#keeper.faultOf(error);
        if (fault && tries === 0) this.#events.failed(fault);
        tries++;
        this.#logger.debug({ error: toError(error).message }, "a lease could not be renewed; trying again");
      }
      if (tries > 0) await delay(retryDelay(tries), signal);
      else if (this.#isHeld) await this.#wake.wait(this.#leaseMs / 3, signal);
    }
  }

  async #giveBack(): Promise<void> {
    if (!this.#isHeld || !this.#keeper.isReady) return;
    try {
      await this.#keeper.giveBack(this.#name);
    } catch (error) {
      this.#logger.warn({ error: toError(error).message }, "what is held could not be given back; it is when the lease ends");
    }
  }

  async #begin(): Promise<void> {
    const name = `${process.pid}-${randomTag(12)}`;
    const sentAt = performance.now();
    await this.#keeper.begin(name, this.#name);
    this.#name = name;
    this.#certainUntil = sentAt + this.#leaseMs;
    this.#isHeld = true;
    if (!this.#stopping.signal.aborted) this.#events.began();
  }
}
