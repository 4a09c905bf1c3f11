/*
 * DESIGN. The exchange is a consumer's conversation with Valkey: it ends entries and takes as many as there is room for, both in one round trip.
 *
 * - Of a stream without keys that is two commands written together, XACK and XREADGROUP. Everything else goes through one script:
 *   ends and hand-overs of streams with keys, entries that are due again, and the read that finds nothing, which has to say where
 *   the stream ended at that moment, so that the wait for the next entry misses none.
 * - Batching without waiting: what ends while a command is under way goes with the next one. Up to two are under way.
 * - After every failure and every reconnect nothing is sent before it was read again what this consumer has: reconciler.ts. Ends are sent
 *   again: ending what is nowhere any more does nothing.
 */
import type { Lease } from "../../work/lease.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Notice } from "../../runtime/waiting.ts";
import { isConnectionError } from "../../valkey/client/connection.ts";
import type { EndOfEntry, GroupBeat, GroupLog, HandedEntry } from "../../valkey/stream/group-log.ts";
import { HeldEntries } from "./held-entries.ts";
import { HeldEntry, type Ending } from "./held-entry.ts";
import { Arrivals, type Tails } from "./arrivals.ts";
import { isGroupMissing, Reconciler } from "./reconciler.ts";

interface ExchangeEvents<Data> {
  /** These entries are to be begun. */
  taken(entries: readonly HeldEntry<Data>[]): void;
  /** The ending took effect. */
  ended(entry: HeldEntry<Data>): void;
  /** The entry was not this consumer's any more. */
  missed(entry: HeldEntry<Data>): void;
  /** The group is up to date. */
  ranEmpty(): void;
}

export interface ExchangeSetup<Data> {
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
  readonly events: ExchangeEvents<Data>;
}

const maxUnderWay = 2;
const maxEnded = 500;
const mostPending = 10_000;

type Failure = Exclude<Ending, { readonly kind: "finish" }>;

export class Exchange<Data> {
  readonly #setup: ExchangeSetup<Data>;
  readonly #log: GroupLog;
  readonly #lease: Lease<GroupBeat>;
  readonly #held = new HeldEntries<Data>();
  readonly #changed = new Notice();
  readonly #arrivals: Arrivals;
  readonly #reconciler: Reconciler<Data>;
  readonly #stopListening: () => void;

  #finished: HeldEntry<Data>[] = [];
  #failed: (readonly [entry: HeldEntry<Data>, failure: Failure])[] = [];
  #underWay = 0;
  #expected = 0;
  #generation = 0;
  #isPumpScheduled = false;
  #isTaking = true;
  #isClosed = false;

  constructor(setup: ExchangeSetup<Data>) {
    this.#setup = setup;
    this.#log = setup.log;
    this.#lease = setup.lease;
    this.#arrivals = new Arrivals(setup.tails, () => this.pumpSoon());
    this.#reconciler = new Reconciler(this.#held, setup);
    this.#stopListening = this.#log.connection.onReady(() => this.doubt());
  }

  get isEmpty(): boolean {
    return this.#arrivals.isEmpty;
  }

  get isQuiet(): boolean {
    return this.#finished.length === 0 && this.#failed.length === 0 && this.#underWay === 0 && this.#reconciler.postponed === 0;
  }

  held(): Iterable<HeldEntry<Data>> {
    return this.#held.all();
  }

  /** The ids of those of `again` that are held. */
  heldAgain(): readonly string[] {
    return this.#held.againIds();
  }

  /** Hands in an entry whose attempt has ended. */
  end(entry: HeldEntry<Data>, ending: Ending): void {
    if (ending.kind === "finish") this.#finished.push(entry);
    else this.#failed.push([entry, ending]);
    this.pumpSoon();
  }

  /** Looks for work once what runs now has run: a whole turn's endings travel together. */
  pumpSoon(): void {
    if (this.#isPumpScheduled) return;
    this.#isPumpScheduled = true;
    queueMicrotask(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  /** Follows what a renewal of the lease showed. */
  follow({ pending, mode, nextDueMs }: GroupBeat): void {
    if (pending < 0 || mode !== this.#log.mode) this.#reconciler.detach();
    if (this.#underWay === 0) this.#reconciler.compare(pending);
    this.#arrivals.noteRoom();
    this.#arrivals.expectDue(nextDueMs);
    this.pumpSoon();
  }

  /** The group reads elsewhere now. */
  detach(): void {
    this.#reconciler.detach();
    this.pumpSoon();
  }

  /** What is known here of what this consumer has may be wrong. */
  doubt(): void {
    this.#reconciler.doubt();
    this.pumpSoon();
  }

  /** Forgets everything of a lease that is lost. Returns what was held under it, for all that is known. */
  reset(): readonly HeldEntry<Data>[] {
    this.#generation++;
    this.#reconciler.reset();
    this.#finished = [];
    this.#failed = [];
    this.#expected = 0;
    this.#arrivals.reset();
    return this.#held.clear();
  }

  /** Takes no more. Resolves when no command that may take an entry is under way. */
  async stopTaking(): Promise<void> {
    this.#isTaking = false;
    this.#arrivals.stopWaiting();
    while (this.#expected > 0) await this.#changed.wait(200);
  }

  /** Resolves when everything that has ended is handed in, or when `signal` says not to wait. */
  async drained(signal: AbortSignal): Promise<void> {
    this.pumpSoon();
    while (!this.isQuiet && !signal.aborted) await this.#changed.wait(undefined, signal);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#reconciler.stop();
    this.#stopListening();
    return this.#arrivals.stop();
  }

  #pump(): void {
    this.#changed.notify();
    if (!this.#lease.isHeld || this.#reconciler.isUnderWay || this.#isClosed) return;
    if (this.#reconciler.isDue) {
      if (this.#underWay === 0) void this.#recover();
      return;
    }
    for (const [entry, failure] of this.#failed.splice(0)) void this.#fail(entry, failure);
    while (this.#underWay < maxUnderWay) {
      const places = this.#places();
      if (this.#finished.length === 0 && places === 0) break;
      void this.#turn(this.#finished.splice(0, maxEnded), places);
    }
    if (this.#isTaking && this.#setup.room() > 0) this.#arrivals.await(this.#log);
  }

  #places(): number {
    if (!this.#isTaking || !this.#lease.isCertain) return 0;
    const isAsked = this.#expected > 0 && this.#arrivals.isShort;
    // The end of an entry with a key brings the next one of its line.
    if ((this.#arrivals.isNone || isAsked) && !(this.#log.hasKeys && this.#finished.length > 0)) return 0;
    return Math.max(0, Math.min(this.#setup.room() - this.#expected, this.#setup.largestTake));
  }

  async #turn(ended: readonly HeldEntry<Data>[], places: number): Promise<void> {
    const generation = this.#generation;
    const isPlain = !this.#log.hasKeys && this.#arrivals.isPlenty && ended.every((entry) => entry.isPlain);
    this.#underWay++;
    this.#expected += places;
    try {
      if (isPlain) await this.#turnPlain(ended, places);
      else await this.#turnByScript(ended, places);
      this.#reconciler.noteSuccess(ended.length > 0 && "finish", places > 0 && "take");
    } catch (error) {
      if (generation !== this.#generation) return;
      for (const entry of ended) {
        if (this.#held.get(entry.id) !== entry) continue;
        entry.isUnsure = true;
        this.#finished.push(entry);
      }
      this.#reconciler.noteFailure(ended.length > 0 ? "finish" : "take", error);
    } finally {
      if (generation === this.#generation) this.#expected -= places;
      this.#underWay--;
      this.pumpSoon();
    }
  }

  async #turnPlain(ended: readonly HeldEntry<Data>[], places: number): Promise<void> {
    const generation = this.#generation;
    const ids = ended.map((entry) => entry.id);
    const [acknowledged, read] = await Promise.all([
      ids.length > 0 ? this.#log.acknowledge(ids) : 0,
      places > 0 ? this.#log.read(this.#lease.name, places) : [],
    ]);
    if (generation !== this.#generation) return;
    if (read.length < places) this.#arrivals.noteShort();
    // Where some were not pending any more, they were moved to `again` meanwhile.
    if (acknowledged === ids.length) for (const entry of ended) this.#noteEnd(entry, "ended");
    this.#accept(read);
    if (acknowledged < ids.length) await this.#turnByScript(ended, 0);
  }

  async #turnByScript(ended: readonly HeldEntry<Data>[], places: number): Promise<void> {
    const generation = this.#generation;
    if (places > 0) this.#arrivals.takeDue();
    const turn = await this.#log.turn(this.#lease.name, { leaseMs: this.#setup.leaseMs, places, mostPending, ended });
    if (generation !== this.#generation) return;
    if (!turn) {
      for (const entry of ended) this.#noteEnd(entry, "taken");
      this.#lease.lose();
      return;
    }
    ended.forEach((entry, index) => this.#noteEnd(entry, turn.ended[index] ?? "ended"));
    this.#arrivals.follow(turn, places);
    this.#accept(turn.taken);
    if (places > 0 && turn.taken.length === 0 && this.#arrivals.isEmpty) this.#setup.events.ranEmpty();
  }

  async #fail(entry: HeldEntry<Data>, failure: Failure): Promise<void> {
    const generation = this.#generation;
    this.#underWay++;
    try {
      const { end, nextDueMs } = await this.#log.fail(this.#lease.name, entry, failure);
      this.#reconciler.noteEnd(entry);
      if (generation !== this.#generation) return;
      this.#reconciler.noteSuccess("fail");
      this.#noteEnd(entry, end);
      this.#arrivals.expectDue(nextDueMs);
    } catch (error) {
      if (generation !== this.#generation) return;
      entry.isUnsure = true;
      if (isGroupMissing(error) || isConnectionError(error)) {
        this.#failed.push([entry, failure]);
        this.#reconciler.noteFailure("fail", error);
      } else {
        this.#reconciler.postpone(entry, error, () => this.end(entry, failure));
      }
    } finally {
      this.#underWay--;
      this.pumpSoon();
    }
  }

  #noteEnd(entry: HeldEntry<Data>, end: EndOfEntry): void {
    this.#held.remove(entry);
    // What is nowhere was trimmed while it ran, or ended by a command whose answer got lost.
    if (end === "taken" && !entry.isUnsure) this.#setup.events.missed(entry);
    else this.#setup.events.ended(entry);
  }

  #accept(entries: readonly HandedEntry[]): void {
    if (entries.length === 0) return;
    const taken: HeldEntry<Data>[] = [];
    for (const entry of entries) {
      // A renewal that was late let it be taken once more, from this consumer itself.
      if (this.#held.get(entry.id)) continue;
      const held = new HeldEntry<Data>(entry);
      this.#held.add(held);
      taken.push(held);
    }
    this.#setup.events.taken(taken);
  }

  async #recover(): Promise<void> {
    const unknown = await this.#reconciler.run();
    if (unknown) {
      this.#arrivals.reset();
      this.#accept(unknown);
    }
    this.pumpSoon();
  }
}
