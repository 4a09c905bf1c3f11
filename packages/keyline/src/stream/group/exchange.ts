/*
 * DESIGN. The exchange is a consumer's conversation with Valkey: it ends entries and takes as many as there is room for, both in one round trip.
 *
 * - Of a stream without keys that is two commands written together, XACK and XREADGROUP. Everything else goes through one script:
 *   ends and hand-overs of streams with keys, entries that are due again, and the read that finds nothing, which has to say where
 *   the stream ended at that moment, so that the wait for the next entry misses none.
 * - Batching without waiting: what ends while a command is under way goes with the next one. Up to two are under way.
 * - After every failure and every reconnect nothing is sent before it was read again what this consumer has. What is unknown here was
 *   taken by a command whose answer got lost, and is begun now. Ends are sent again: ending what is nowhere any more does nothing.
 *   The same when a renewal of the lease twice shows more than is known here: a read that died with its connection may have been
 *   served after that.
 * - When the group is not there (first use, FLUSHALL, a stream restored from an older copy), or reads elsewhere now, it is attached again.
 */
import { toError } from "../../runtime/errors.ts";
import type { Lease } from "../../runtime/lease.ts";
import type { Logger } from "../../runtime/logger.ts";
import { delay, Notice, retryDelay } from "../../runtime/waiting.ts";
import { isConnectionError } from "../../valkey/connection.ts";
import type { EndOfEntry, GroupBeat, GroupLog, HandedEntry } from "../../valkey/group-log.ts";
import { HeldEntry, type Ending } from "./held-entry.ts";
import { News, type Tails } from "./news.ts";

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
  readonly logger: Logger;
  readonly events: ExchangeEvents<Data>;
}

const maxUnderWay = 2;
const maxEnded = 500;
const mostPending = 10_000;
const ownPage = 500;
type Failure = Exclude<Ending, { readonly kind: "finish" }>;

export class Exchange<Data> {
  readonly #setup: ExchangeSetup<Data>;
  readonly #log: GroupLog;
  readonly #lease: Lease<GroupBeat>;
  readonly #held = new Map<string, HeldEntry<Data>>();
  readonly #changed = new Notice();
  readonly #news: News;
  readonly #stopping = new AbortController();
  readonly #stopListening: () => void;

  #finished: HeldEntry<Data>[] = [];
  #failed: (readonly [entry: HeldEntry<Data>, failure: Failure])[] = [];
  #underWay = 0;
  #expected = 0;
  #generation = 0;
  #failures = 0;
  #suspicions = 0;
  #isAttached = false;
  #isInDoubt = false;
  #isRecovering = false;
  #isPumpScheduled = false;
  #isTaking = true;

  constructor(setup: ExchangeSetup<Data>) {
    this.#setup = setup;
    this.#log = setup.log;
    this.#lease = setup.lease;
    this.#news = new News(setup.tails, () => this.pumpSoon());
    this.#stopListening = this.#log.connection.onReady(() => this.doubt());
  }

  get isEmpty(): boolean {
    return this.#news.isEmpty;
  }

  get isQuiet(): boolean {
    return this.#finished.length === 0 && this.#failed.length === 0 && this.#underWay === 0 && !this.#isRecovering;
  }

  held(): Iterable<HeldEntry<Data>> {
    return this.#held.values();
  }

  /** The ids of those of `again` that are held. */
  heldAgain(): string[] {
    const ids: string[] = [];
    for (const { id, isAgain, phase } of this.#held.values()) if (isAgain && phase !== "lost") ids.push(id);
    return ids;
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
    if (pending < 0 || mode !== this.#log.mode) this.#isAttached = false;
    if (this.#underWay === 0 && !this.#log.hasKeys) {
      let known = 0;
      for (const { isAgain } of this.#held.values()) if (!isAgain) known++;
      this.#suspicions = pending > known ? this.#suspicions + 1 : 0;
      if (this.#suspicions >= 2) this.#isInDoubt = true;
    }
    this.#news.noteRoom();
    this.#news.expectDue(nextDueMs);
    this.pumpSoon();
  }

  /** What is known here of what this consumer has may be wrong. */
  doubt(): void {
    this.#isInDoubt = true;
    this.pumpSoon();
  }

  /** Forgets everything of a lease that is lost. Returns what was held under it, for all that is known. */
  reset(): readonly HeldEntry<Data>[] {
    const held = [...this.#held.values()];
    this.#generation++;
    this.#held.clear();
    this.#finished = [];
    this.#failed = [];
    this.#expected = 0;
    this.#news.reset();
    return held;
  }

  /** Takes no more. Resolves when no command that may take an entry is under way. */
  async stopTaking(): Promise<void> {
    this.#isTaking = false;
    this.#news.stopWaiting();
    while (this.#expected > 0) await this.#changed.wait(200);
  }

  /** Resolves when everything that has ended is handed in, or when `signal` says not to wait. */
  async drained(signal: AbortSignal): Promise<void> {
    this.pumpSoon();
    while (!this.isQuiet && !signal.aborted) await this.#changed.wait(undefined, signal);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#stopListening();
    await this.#news.stop();
  }

  #pump(): void {
    this.#changed.notify();
    if (!this.#lease.isHeld || this.#isRecovering || this.#stopping.signal.aborted) return;
    if (this.#isInDoubt || !this.#isAttached) {
      if (this.#underWay === 0) void this.#recover();
      return;
    }
    for (const [entry, failure] of this.#failed.splice(0)) void this.#fail(entry, failure);
    while (this.#underWay < maxUnderWay) {
      const places = this.#places();
      if (this.#finished.length === 0 && places === 0) break;
      void this.#turn(this.#finished.splice(0, maxEnded), places);
    }
    if (this.#isTaking && this.#setup.room() > 0) this.#news.await(this.#log.log);
  }

  /** How many entries the next command takes. */
  #places(): number {
    if (!this.#isTaking || !this.#lease.isCertain) return 0;
    // The end of an entry with a key brings the next one of its line.
    if (this.#news.isNone && !(this.#log.hasKeys && this.#finished.length > 0)) return 0;
    return Math.max(0, Math.min(this.#setup.room() - this.#expected, this.#setup.largestTake));
  }

  async #turn(ended: readonly HeldEntry<Data>[], places: number): Promise<void> {
    const generation = this.#generation;
    const isPlain = !this.#log.hasKeys && this.#news.isPlenty && ended.every(isFirst);
    this.#underWay++;
    this.#expected += places;
    try {
      if (isPlain) await this.#turnPlain(ended, places);
      else await this.#turnByScript(ended, places);
      this.#failures = 0;
    } catch (error) {
      if (generation !== this.#generation) return;
      for (const entry of ended) this.#finishAgain(entry);
      this.#noteFailure(error, "entries could not be handed in");
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
    this.#accept(read);
    if (read.length < places) this.#news.noteShort();
    if (acknowledged === ids.length) for (const entry of ended) this.#noteEnd(entry, "ended");
    // Some were moved to `again` meanwhile.
    else await this.#turnByScript(ended, 0);
  }

  async #turnByScript(ended: readonly HeldEntry<Data>[], places: number): Promise<void> {
    const generation = this.#generation;
    if (places > 0) this.#news.takeDue();
    const turn = await this.#log.turn(this.#lease.name, { leaseMs: this.#setup.leaseMs, places, mostPending, ended });
    if (generation !== this.#generation) return;
    if (!turn) {
      for (const entry of ended) this.#noteEnd(entry, "taken");
      this.#lease.lose();
      return;
    }
    ended.forEach((entry, index) => this.#noteEnd(entry, turn.ended[index] ?? "ended"));
    this.#news.follow(turn, places);
    this.#accept(turn.taken);
    if (places > 0 && turn.taken.length === 0 && turn.stoppedBy !== "full") this.#setup.events.ranEmpty();
  }

  async #fail(entry: HeldEntry<Data>, failure: Failure): Promise<void> {
    const generation = this.#generation;
    this.#underWay++;
    try {
      const { end, nextDueMs } = await this.#log.fail(this.#lease.name, entry, failure);
      if (generation !== this.#generation) return;
      this.#noteEnd(entry, end);
      this.#news.expectDue(nextDueMs);
    } catch (error) {
      if (generation !== this.#generation) return;
      entry.isUnsure = true;
      this.#failed.push([entry, failure]);
      this.#noteFailure(error, "an entry could not be handed in");
    } finally {
      this.#underWay--;
      this.pumpSoon();
    }
  }

  #noteEnd(entry: HeldEntry<Data>, end: EndOfEntry): void {
    this.#held.delete(entry.id);
    // What is nowhere was trimmed while it ran, or ended by a command whose answer got lost.
    if (end === "taken" && !entry.isUnsure) this.#setup.events.missed(entry);
    else this.#setup.events.ended(entry);
  }

  #finishAgain(entry: HeldEntry<Data>): void {
    if (this.#held.get(entry.id) !== entry) return;
    entry.isUnsure = true;
    this.#finished.push(entry);
  }

  #accept(entries: readonly HandedEntry[]): void {
    if (entries.length === 0) return;
    const taken: HeldEntry<Data>[] = [];
    for (const entry of entries) {
      const held = new HeldEntry<Data>(entry);
      this.#held.set(held.id, held);
      taken.push(held);
    }
    this.#setup.events.taken(taken);
  }

  #noteFailure(error: unknown, what: string): void {
    if (isGroupMissing(error)) {
      this.#isAttached = false;
    } else {
      this.#isInDoubt = true;
      this.#failures++;
      if (isConnectionError(error)) this.#setup.logger.debug({ error: toError(error).message }, what);
      else this.#setup.logger.error({ error: toError(error).message }, what);
    }
  }

  /** Attaches the group where that is needed, and reads again what this consumer has. Tries until that works. */
  async #recover(): Promise<void> {
    const generation = this.#generation;
    const { signal } = this.#stopping;
    this.#isRecovering = true;
    for (let tries = Math.max(0, this.#failures - 1); !signal.aborted && generation === this.#generation; tries++) {
      if (tries > 0) await delay(retryDelay(tries - 1), signal);
      const own = await this.#tryToRecover();
      if (!own) continue;
      if (generation === this.#generation) this.#follow(own);
      break;
    }
    this.#isRecovering = false;
    this.pumpSoon();
  }

  async #tryToRecover(): Promise<readonly HandedEntry[] | undefined> {
    try {
      if (!(await this.#log.connection.whenReady(1_000, this.#stopping.signal))) return undefined;
      if (!this.#isAttached) {
        await this.#setup.attach();
        const firsts = [...this.#held.values()].filter((entry) => isFirst(entry) && entry.phase === "running");
        if (firsts.length > 0) await this.#log.adopt(this.#lease.name, this.#setup.leaseMs, firsts);
        this.#isAttached = true;
      }
      // What a lease has that is over is not this consumer's to read.
      await this.#lease.beat();
      return await this.#log.own(this.#lease.name, this.#setup.leaseMs, ownPage);
    } catch (error) {
      if (isGroupMissing(error)) this.#isAttached = false;
      this.#setup.logger.debug({ error: toError(error).message }, "it could not be read yet what a consumer has");
      return undefined;
    }
  }

  #follow(own: readonly HandedEntry[]): void {
    const unknown: HandedEntry[] = [];
    for (const entry of own) {
      const held = this.#held.get(entry.id);
      if (held) held.isAgain = entry.isAgain;
      else unknown.push(entry);
    }
    this.#isInDoubt = false;
    this.#suspicions = 0;
    this.#news.reset();
    this.#accept(unknown);
  }
}

function isFirst(entry: HeldEntry<unknown>): boolean {
  return !entry.isAgain && !entry.isUnsure;
}

function isGroupMissing(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOGROUP");
}
