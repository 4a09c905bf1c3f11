/*
 * DESIGN. A projection is a table that is kept from a stream. The position up to which it was, is written in the same transaction as the table, so
 * whatever breaks off, both are as before the page or as after it: every entry takes effect exactly once.
 *
 * - Any number of processes may run a projection. The one that has the position's row works; the others see that it is taken, and look again
 *   later. If its process dies, PostgreSQL takes the row back with the connection.
 * - While a full page is written the one behind it is read, so that neither store waits for the other.
 * - A page whose handler throws is tried again, with a pause that grows, in halves: everything before the failing entry gets
 *   through. The projection does not go past it: a table that left out an entry would be silently wrong.
 */
import type { EventTable } from "../postgres/event/event-table.ts";
import { isOutage } from "../postgres/client/failures.ts";
import type { Transaction } from "../postgres/client/options.ts";
import type { ProjectionPlace, ProjectionTable } from "../postgres/event/projection-table.ts";
import { clearTimeout, setTimeout } from "../runtime/clock.ts";
import { Emitter } from "../runtime/emitter.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import type { Seam } from "../runtime/probe.ts";
import type { Logger } from "../runtime/logger.ts";
import { delay, Notice, retryDelay } from "../runtime/waiting.ts";
import type { ValkeyConnection } from "../valkey/client/connection.ts";
import type { StreamTails } from "../valkey/client/stream-tails.ts";
import { compareIds } from "./entry-id.ts";
import type { EntryReader } from "./entry-reader.ts";
import type { StreamGap } from "./options.ts";
import {
  checkRebuildOptions,
  toProjectionPolicy,
  type ProjectionEvents,
  type ProjectionHandler,
  type ProjectionPolicy,
  type ProjectionProgress,
  type ProjectOptions,
  type RebuildOptions,
} from "./projection-options.ts";
import { projectPage } from "./projected.ts";
import { ProjectionReader, type ReadEntries } from "./projection-reader.ts";
import type { Reading } from "./reading.ts";
import { TailWait } from "./tail-wait.ts";

export interface ProjectionParts<Data> {
  readonly stream: string;
  readonly name: string;
  readonly eventsKey: string;
  readonly table: ProjectionTable;
  readonly reading: Reading;
  readonly reader: EntryReader<Data>;
  readonly tails: StreamTails;
  /** Only of a transactional stream. */
  readonly record: EventTable | undefined;
  readonly connection: ValkeyConnection;
  readonly logger: Logger;
  readonly seam: Seam;
  onStopped(): void;
}

const takenMs = 500;
const none = { entries: [], parsed: [] };

/** A table that is kept from a stream, until it is stopped. */
export class Projection<Data> {
  readonly #parts: ProjectionParts<Data>;
  readonly #handler: ProjectionHandler<Data>;
  readonly #policy: ProjectionPolicy;
  readonly #events: Emitter<ProjectionEvents>;
  readonly #stopping = new AbortController();
  readonly #moved = new Notice();
  readonly #wait: TailWait;
  readonly #reader: ProjectionReader<Data>;
  #restarted = new AbortController();
  readonly #loop: Promise<void>;
  #place: ProjectionPlace | undefined;
  #fits: number;

  /** @internal */
  constructor(parts: ProjectionParts<Data>, handler: ProjectionHandler<Data>, options: ProjectOptions) {
    this.#policy = toProjectionPolicy(options);
    this.#fits = this.#policy.size;
    this.#parts = parts;
    this.#handler = handler;
    this.#reader = new ProjectionReader(parts);
    this.#wait = new TailWait(parts.tails, parts.eventsKey);
    this.#events = new Emitter(parts.logger);
    this.#loop = this.#run(this.#stopping.signal);
  }

  /** Calls `listener` at every such event until the returned function is called. Errors without a listener are logged. */
  on<Name extends keyof ProjectionEvents>(name: Name, listener: (...values: ProjectionEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Where the table is now, whoever brought it there. */
  progress(): Promise<ProjectionProgress> {
    return this.#parts.table.place();
  }

  /** Resolves when the table has everything that is in the stream now. */
  async caughtUp(): Promise<void> {
    const { after: end } = await this.#parts.reading.end();
    await this.#reached(end, () => undefined);
  }

  /**
   * Empties the table with `reset` and keeps it from the beginning of the stream again. Resolves when it has everything that was there when the
   * rebuild began. Throws INVALID_OPTION without `reset`.
   *
   * @example
   * await counts.rebuild({ onProgress: ({ done, total }) => console.log(`${done} of ${total}`) });
   */
  async rebuild(options: RebuildOptions = {}): Promise<void> {
    checkRebuildOptions(options);
    const { reset } = this.#policy;
    const { reading, table, stream, name } = this.#parts;
    if (!reset) {
      throw new KeylineError(
        "INVALID_OPTION",
        `Projection ${name} of stream ${stream} cannot be rebuilt: give project() a reset that empties its table`,
      );
    }
    const { after: end } = await reading.end();
    const total = await reading.count();
    await table.restart(reset);
    this.#place = undefined;
    this.#restarted.abort();
    await this.#reached(end, ({ entries }) => options.onProgress?.({ done: Math.min(entries, total), total }));
  }

  /** Begins no more transactions; resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#moved.notify();
    await this.#loop;
    this.#parts.onStopped();
  }

  // Others may move it too, so the table is asked.
  async #reached(end: string, onPlace: (place: ProjectionPlace) => void): Promise<void> {
    const { signal } = this.#stopping;
    for (let before: string | undefined; !signal.aborted;) {
      const moved = this.#moved.wait(takenMs, signal);
      const place = await this.#parts.table.place();
      onPlace(place);
      // Not at each page: whoever moves on is not there yet.
      if (compareIds(place.position, end) >= 0 || place.position === before) {
        if (await this.#reader.hasReached(place.position, end)) return;
      }
      before = place.position;
      await moved;
    }
    throw new KeylineError("STOPPED", `Projection ${this.#parts.name} was stopped before it had everything`);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { table } = this.#parts;
    const stopListening = this.#parts.connection.onFault((fault) => this.#report(fault));
    signal.addEventListener("abort", stopListening);
    for (let failures = 0; !signal.aborted;) {
      try {
        await table.database.whenAvailable(signal);
        this.#place ??= await table.place();
        await this.#step(this.#place, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#place = undefined;
        failures++;
        const isAway = isOutage(error);
        if (!isAway) this.#report(toError(error));
        await delay(retryDelay(failures, { first: 50, max: isAway ? 1_000 : 30_000 }), signal);
      }
    }
  }

  async #step(place: ProjectionPlace, signal: AbortSignal): Promise<void> {
    const page = await this.#reader.next(place.position, { limit: this.#fits, signal });
    if (!page) return;
    if (page.gap) {
      this.#announce({ stream: this.#parts.stream, reason: page.gap.reason, after: place.position, until: page.gap.until });
      await this.#apply(place, none, page.gap.until, signal);
      return;
    }
    const last = page.entries.at(-1);
    if (last) {
      this.#wait.reset();
      if (page.entries.length >= this.#fits) this.#reader.readAhead(last.id, { limit: this.#fits, signal });
      return this.#apply(place, page, last.id, signal);
    }
    // What was there has been dropped, and nobody need wait for it.
    const passed = await this.#reader.passedOver(page.newest);
    if (compareIds(place.position, passed) < 0) return this.#apply(place, none, passed, signal);
    this.#events.emit("idle");
    if (this.#restarted.signal.aborted) this.#restarted = new AbortController();
    const interrupted = AbortSignal.any([signal, this.#restarted.signal]);
    if (this.#place === place && this.#parts.connection.isReady) await this.#wait.news(place.position, interrupted);
    else await this.#parts.connection.whenReady(takenMs, interrupted);
    // Whoever restarts it in another process tells nobody.
    this.#place = undefined;
  }

  async #apply(place: ProjectionPlace, { entries: raws, parsed }: ReadEntries<Data>, position: string, signal: AbortSignal): Promise<void> {
    const { table, name } = this.#parts;
    const { timeoutMs } = this.#policy;
    const overdue = new AbortController();
    const timer = setTimeout(() => {
      overdue.abort(new KeylineError("TIMEOUT", `A page of projection ${name} took longer than ${timeoutMs} ms`));
    }, timeoutMs);
    const next = { position, entries: place.entries + raws.length };
    try {
      const projected = { stream: this.#parts.stream, projection: name, page: raws };
      const work = (tx: Transaction): Promise<void> =>
        parsed.length > 0 ? projectPage(this.#parts.seam, projected, () => this.#handler(tx, parsed)) : Promise.resolve();
      const isOurs = await table.advance(place.position, next, work, overdue.signal);
      this.#place = isOurs ? next : undefined;
      if (!isOurs) return await this.#awaitTurn(place, signal);
      this.#fits = Math.min(this.#fits * 2, this.#policy.size);
      this.#moved.notify();
      this.#events.emit("progress", next);
    } catch (error) {
      this.#fits = Math.max(1, Math.floor(raws.length / 2));
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  // Somebody else has moved on, or is about to.
  async #awaitTurn(place: ProjectionPlace, signal: AbortSignal): Promise<void> {
    const now = await this.#parts.table.place();
    if (now.position === place.position) await delay(takenMs, signal);
  }

  #announce(gap: StreamGap): void {
    const { onGap } = this.#policy;
    if (onGap) return onGap(gap);
    throw new KeylineError(
      "GAP",
      `Projection ${this.#parts.name} lacks what stream ${gap.stream} had after ${gap.after}: it was ${gap.reason}. ` +
        "Rebuild it, or pass onGap to go on without",
    );
  }

  #report(error: Error): void {
    const { stream, name, logger } = this.#parts;
    if (this.#events.hasListeners("error")) this.#events.emit("error", error);
    else logger.error({ stream, projection: name, error: error.message }, "a projection failed; it is tried again");
  }
}
