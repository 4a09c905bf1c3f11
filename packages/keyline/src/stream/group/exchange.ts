/*
 * DESIGN. The exchange is a consumer's conversation with Valkey: it ends entries and takes as many as there is room for, both in one round trip.
 *
 * - The commands are in group-commands.ts: one for ends and takes together, and one for each attempt that failed.
 * - Batching without waiting: what ends while a command is under way goes with the next one. Up to two are under way.
 * - After every failure and every reconnect nothing is sent before it was read again what this consumer has: reconciler.ts. Ends are sent
 *   again: ending what is nowhere any more does nothing.
 */
import type { Logger } from "../../runtime/logger.ts";
import type { GroupBeat } from "../../valkey/stream/group-leases.ts";
import type { GroupLog } from "../../valkey/stream/group-log.ts";
import { Doubt } from "../../work/doubt.ts";
import type { Lease } from "../../work/lease.ts";
import { Pump } from "../../work/pump.ts";
import type { ExchangeEvents, ShiftExchange } from "../../work/shift-parts.ts";
import type { Trade } from "../../work/trade.ts";
import { Arrivals, type Tails } from "./arrivals.ts";
import { GroupCommands, type Failure } from "./group-commands.ts";
import { HeldEntries } from "./held-entries.ts";
import type { Disposal, HeldEntry } from "./held-entry.ts";
import { Reconciler, type Command } from "./reconciler.ts";

export interface ExchangeSetup<Data> {
  readonly trade: Trade<HeldEntry<Data>>;
  readonly log: GroupLog;
  readonly tails: Tails;
  readonly lease: Lease<GroupBeat>;
  readonly leaseMs: number;
  /** How many more entries can be begun. */
  readonly room: () => number;
  /** How many entries one command takes at the most. */
  readonly largestTake: number;
  /** Makes the group where it is not there, and sees to where it reads. */
  readonly attach: () => Promise<void>;
  readonly hasRecord: boolean;
  readonly logger: Logger;
  readonly events: ExchangeEvents<HeldEntry<Data>>;
}

const maxUnderWay = 2;
const maxEnded = 500;

export class Exchange<Data> implements ShiftExchange<HeldEntry<Data>, GroupBeat> {
  readonly #setup: ExchangeSetup<Data>;
  readonly #log: GroupLog;
  readonly #lease: Lease<GroupBeat>;
  readonly #held = new HeldEntries<Data>();
  readonly #pump = new Pump(() => this.#turn());
  readonly #arrivals: Arrivals;
  readonly #doubt: Doubt<HeldEntry<Data>, Command>;
  readonly #reconciler: Reconciler<Data>;
  readonly #commands: GroupCommands<Data>;
  readonly #stopListening: () => void;

  #finished: HeldEntry<Data>[] = [];
  #failed: (readonly [entry: HeldEntry<Data>, failure: Failure])[] = [];
  #isTaking = true;
  #isClosed = false;

  constructor(setup: ExchangeSetup<Data>) {
    this.#setup = setup;
    this.#log = setup.log;
    this.#lease = setup.lease;
    this.#arrivals = new Arrivals(setup.tails, () => this.pumpSoon());
    this.#doubt = new Doubt(setup.trade, setup.logger);
    this.#reconciler = new Reconciler(this.#held, { ...setup, doubt: this.#doubt });
    this.#commands = new GroupCommands<Data>({
      ...setup,
      held: this.#held,
      pump: this.#pump,
      arrivals: this.#arrivals,
      doubt: this.#doubt,
      reconciler: this.#reconciler,
      again: (entry, disposal) => this.end(entry, disposal),
    });
    this.#stopListening = this.#log.connection.onReady(() => this.doubt());
  }

  get isReady(): boolean {
    return this.#log.connection.isReady;
  }

  get isEmpty(): boolean {
    return this.#arrivals.isEmpty;
  }

  get isQuiet(): boolean {
    const isHandedIn = this.#finished.length === 0 && this.#failed.length === 0 && !this.#doubt.hasPostponed;
    return isHandedIn && this.#pump.underWay === 0;
  }

  held(): Iterable<HeldEntry<Data>> {
    return this.#held.all();
  }

  /** The ids of those of `again` that are held. */
  heldAgain(): readonly string[] {
    return this.#held.againIds();
  }

  /** Hands in an entry whose attempt has ended. */
  end(entry: HeldEntry<Data>, disposal: Disposal): void {
    if (disposal.kind === "finish") this.#finished.push(entry);
    else this.#failed.push([entry, disposal]);
    this.pumpSoon();
  }

  pumpSoon(): void {
    this.#pump.soon();
  }

  begin(): void {
    this.doubt();
  }

  follow({ pending, mode, nextDueMs }: GroupBeat): void {
    if (pending < 0 || mode !== this.#log.mode) this.#reconciler.detach();
    if (this.#pump.underWay === 0 && !this.#log.hasKeys) this.#doubt.compare(pending, this.#held.firsts().length);
    this.#arrivals.noteRoom();
    this.#arrivals.expectDue(nextDueMs);
    this.pumpSoon();
  }

  lookAgain(): Promise<void> {
    this.#arrivals.reset();
    this.pumpSoon();
    return Promise.resolve();
  }

  /** The group reads elsewhere now. */
  detach(): void {
    this.#reconciler.detach();
    this.pumpSoon();
  }

  /** What is known here of what this consumer has may be wrong. */
  doubt(): void {
    this.#doubt.raise();
    this.pumpSoon();
  }

  reset(): readonly HeldEntry<Data>[] {
    this.#pump.reset();
    this.#doubt.reset();
    this.#finished = [];
    this.#failed = [];
    this.#arrivals.reset();
    return this.#held.clear();
  }

  async stopTaking(): Promise<void> {
    this.#isTaking = false;
    this.#arrivals.stopWaiting();
    await this.#pump.until(() => this.#pump.expected === 0);
  }

  until(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    return this.#pump.until(isDone, signal);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#doubt.stop();
    this.#stopListening();
    return this.#arrivals.stop();
  }

  #turn(): void {
    if (!this.#lease.isHeld || this.#doubt.isResolving || this.#isClosed) return;
    if (this.#reconciler.isDue) {
      if (this.#pump.underWay === 0) void this.#reconcile();
      return;
    }
    for (const [entry, failure] of this.#failed.splice(0)) this.#commands.fail(entry, failure);
    while (this.#pump.underWay < maxUnderWay) {
      const places = this.#places();
      if (this.#finished.length === 0 && places === 0) break;
      this.#commands.endAndTake(this.#finished.splice(0, maxEnded), places);
    }
    if (this.#isTaking && this.#setup.room() > 0) this.#arrivals.await(this.#log);
  }

  #places(): number {
    if (!this.#isTaking || !this.#lease.isCertain) return 0;
    const isAsked = this.#pump.expected > 0 && this.#arrivals.isShort;
    // The end of an entry with a key brings the next one of its line.
    if ((this.#arrivals.isNone || isAsked) && !(this.#log.hasKeys && this.#finished.length > 0)) return 0;
    return Math.max(0, Math.min(this.#setup.room() - this.#pump.expected, this.#setup.largestTake));
  }

  async #reconcile(): Promise<void> {
    const unknown = await this.#reconciler.read();
    if (unknown) {
      this.#arrivals.reset();
      this.#commands.accept(unknown);
    }
    this.pumpSoon();
  }
}
