/*
 * DESIGN. The event relay gives committed events their places and keeps the hot windows of transactional streams on Valkey equal to the end
 * of their records.
 *
 * 1. An event that was appended within a transaction has no place before that has committed: what a reader has passed must never be
 *    followed by something in front of it. Places are given under a lock of the stream, in a transaction of their own, so they grow in the order in
 *    which commits are seen. What Keyline appends by itself gets its place at once, under the same lock.
 * 2. Valkey holds an unbroken run of events up to some last one, under the same ids. It takes only events that follow that one, and
 *    skips those it has. So it does not matter which process brings them, how often, or when it dies: what is missing is
 *    whatever the record has after the last one on Valkey, and whoever looks next brings it.
 * 3. After Valkey lost everything there is no last one: then the window begins again, at the place where retention would have cut
 *    it, and is filled from the record like any other rest. Ids are the record's, so a reader's place stays what it was.
 *
 * A process looks at once when it saw a commit of its own, and every two seconds at the streams that it uses, for what others have
 * left; whether Valkey still has what it had it asks after every connect, and every eight seconds. Reading the record never waits for this.
 */
import { performance } from "../../runtime/clock.ts";
import { Alarm } from "../../runtime/alarm.ts";
import type { Duty } from "../../runtime/duty.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Database } from "../client/database.ts";
import type { EventRow, EventTable } from "./event-table.ts";

/** The way from the record of one stream to Valkey. */
export interface EventOutlet {
  readonly table: EventTable;
  /** False while Valkey is away. */
  readonly isOpen: boolean;
  /** Where the stream on Valkey ends; undefined when it is not there. */
  end(): Promise<string | undefined>;
  /** Begins it anew where it is not there. Returns where it ends. */
  begin(): Promise<string | undefined>;
  /** Appends what is missing of these events, which follow `before`. Returns where it ends then; undefined when it is not there. */
  append(before: string, events: readonly EventRow[]): Promise<string | undefined>;
  /** A page of what the record has behind this end; undefined where the record does not have that one, and what ended so was taken away. */
  missing(end: string, limit: number): Promise<readonly EventRow[] | undefined>;
}

const lookEveryMs = 2_000;
const expectedEveryMs = 250;
const askAgainMs = 8_000;
const lastPassMs = 5_000;
const placePage = 1_000;
const copyPage = 500;

/** One stream, and whether somebody is at it. */
interface Pass {
  readonly outlet: EventOutlet;
  running: Promise<void> | undefined;
  isNamed: boolean;
  /** Up to where the stream on Valkey was seen to be, and when. */
  seenAt: string;
  seenWhen: number;
}

export class EventRelay implements Duty {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #passes = new Map<string, Pass>();
  readonly #alarm = new Alarm(() => this.#lookAround(), { mayEnd: true });
  readonly #stopping = new AbortController();
  #expectedUntil = 0;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  start(): void {
    this.#alarm.set(0);
  }

  /** Brings what was committed so far, if both stores are there. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#alarm.stop();
    const passes = [...this.#passes.values()];
    await Promise.all(passes.map(async ({ running }) => running));
    const limit = AbortSignal.timeout(lastPassMs);
    await Promise.all(
      passes.map(async (pass) => {
        if (pass.isNamed && pass.outlet.isOpen && this.#database.isAvailable) await this.#bring(pass, limit);
      }),
    );
  }

  /** Resolves when everything that is committed is on Valkey, or could not be brought there. */
  async broughtAll(): Promise<void> {
    const passes = [...this.#passes.values()];
    for (const pass of passes) pass.seenWhen = -Infinity;
    await Promise.all(passes.map((pass) => this.#bring(pass, this.#stopping.signal)));
  }

  /** Serves one more stream. */
  add(outlet: EventOutlet): void {
    this.#passes.set(outlet.table.stream, { outlet, running: undefined, isNamed: false, seenAt: "", seenWhen: -Infinity });
    this.lookSoon(outlet.table.stream);
  }

  serves(stream: string): boolean {
    return this.#passes.has(stream);
  }

  /** Events of this stream were committed that are not on Valkey yet. */
  lookSoon(stream: string): void {
    const pass = this.#passes.get(stream);
    if (!pass) return;
    pass.isNamed = true;
    this.#begin(pass);
  }

  /** A transaction with events is open whose end may not be seen: look more often for a while. */
  expectEvents(stream: string): void {
    this.#expectedUntil = performance.now() + 2_000;
    this.lookSoon(stream);
    this.#alarm.set(expectedEveryMs);
  }

  /** Valkey may have lost its memory: look at everything. */
  lookAtAll(): void {
    for (const pass of this.#passes.values()) pass.seenWhen = -Infinity;
    this.#alarm.set(0);
  }

  #lookAround(): Promise<void> {
    for (const stream of this.#passes.keys()) this.lookSoon(stream);
    this.#alarm.set(performance.now() < this.#expectedUntil ? expectedEveryMs : lookEveryMs);
    return Promise.resolve();
  }

  // Each stream by itself: one that is locked, or has much to copy, holds up no other.
  #begin(pass: Pass): void {
    const { signal } = this.#stopping;
    if (pass.running || signal.aborted) return;
    pass.running = this.#run(pass, signal).finally(() => {
      pass.running = undefined;
      if (pass.isNamed) this.#begin(pass);
    });
  }

  async #run(pass: Pass, signal: AbortSignal): Promise<void> {
    await this.#database.whenAvailable(signal, { mayEnd: true });
    if (signal.aborted) return;
    pass.isNamed = false;
    await this.#bring(pass, signal);
  }

  /** Never rejects: what could not be brought is tried again at the next look. */
  async #bring(pass: Pass, signal: AbortSignal): Promise<void> {
    const { table } = pass.outlet;
    try {
      for (let isUnfinished = true; isUnfinished && !signal.aborted;) {
        const placed = await table.place(placePage);
        if (pass.outlet.isOpen) await this.#copy(pass, placed.last, signal);
        ({ isUnfinished } = placed);
      }
    } catch (error) {
      if (this.#database.isClosing || signal.aborted) return;
      const isNotUsed = error instanceof KeylineError && error.code === "NOT_MIGRATED";
      if (!isNotUsed)
        this.#logger.warn(
          { stream: table.stream, error: toError(error).message },
          "committed events could not be brought to Valkey yet; it is tried again",
        );
    }
  }

  /** Copies what the record has after the last event on Valkey, up to `last`. */
  async #copy(pass: Pass, last: string, signal: AbortSignal): Promise<void> {
    const { outlet } = pass;
    const now = performance.now();
    // While nothing is appended Valkey is asked less often whether it still has what it had.
    if (last === pass.seenAt && now - pass.seenWhen < askAgainMs) return;
    let end = (await outlet.end()) ?? (await outlet.begin());
    while (end !== undefined && end !== last && !signal.aborted) {
      const events = await outlet.missing(end, copyPage);
      if (events?.length === 0) return;
      end = events ? await outlet.append(end, events) : await outlet.begin();
    }
    pass.seenAt = end ?? "";
    pass.seenWhen = now;
  }
}
