/*
 * DESIGN. The event relay gives committed events their places and keeps the hot windows of transactional streams on Valkey equal to the end
 * of their records.
 *
 * 1. An event that was appended within a transaction has no place before that has committed: what a reader has passed must never be
 *    followed by something in front of it. Places are given under a lock of the stream, in a transaction of their own, so they grow in the order in
 *    which commits are seen. What Keyline appends by itself gets its place at once, under the same lock.
 * 2. Valkey holds an unbroken run of events up to some last one, under the same ids. It takes only events that follow that one, and
 *    passes over those it has. So it does not matter who brings them, how often, or when he dies: what is missing is
 *    whatever the record has after the last one on Valkey, and whoever looks next brings it.
 * 3. After Valkey lost everything there is no last one: then the window begins anew, at the place where retention would have cut
 *    it, and is filled from the record like any other rest. Ids are the record's, so a reader's place stays what it was.
 *
 * A process looks at once when it saw a commit of its own, and every two seconds at the streams that it uses, for what others have
 * left. Reading the record never waits for this.
 */
import { Alarm } from "../runtime/alarm.ts";
import type { Duty } from "../runtime/duty.ts";
import { KeylineError, toError } from "../runtime/errors.ts";
import type { Logger } from "../runtime/logger.ts";
import type { Database } from "./database.ts";
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
}

const lookEveryMs = 2_000;
const expectedEveryMs = 250;
const placePage = 1_000;
const copyPage = 500;

export class EventRelay implements Duty {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #outlets = new Map<string, EventOutlet>();
  readonly #alarm = new Alarm(() => this.#look());
  readonly #stopping = new AbortController();
  /** Streams that were named since the last look; those of others come in their turn. */
  #named = new Set<string>();
  #expectedUntil = 0;
  #nextFullLook = 0;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  start(): void {
    this.#alarm.set(0);
  }

  /** Brings what was committed so far, if both stores are there. */
  async stop(): Promise<void> {
    await this.#alarm.stop();
    if (this.#named.size > 0 && this.#database.isAvailable) await this.#lookAt([...this.#named]).catch(() => undefined);
    this.#stopping.abort();
  }

  /** Serves one more stream. */
  add(outlet: EventOutlet): void {
    this.#outlets.set(outlet.table.stream, outlet);
    this.lookSoon(outlet.table.stream);
  }

  /** Events of this stream were committed that are not on Valkey yet. */
  lookSoon(stream: string): void {
    this.#named.add(stream);
    this.#alarm.set(0);
  }

  /** A transaction with events is open whose end may not be seen: look more often for a while. */
  expectEvents(stream: string): void {
    this.#expectedUntil = performance.now() + 2_000;
    this.lookSoon(stream);
  }

  /** Valkey may have lost its memory: look at everything. */
  lookAtAll(): void {
    this.#nextFullLook = 0;
    this.#alarm.set(0);
  }

  async #look(): Promise<void> {
    const named = this.#named;
    this.#named = new Set();
    const isExpecting = performance.now() < this.#expectedUntil;
    const isFull = isExpecting || performance.now() >= this.#nextFullLook;
    if (isFull) this.#nextFullLook = performance.now() + lookEveryMs;
    await this.#database.whenAvailable(this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    await this.#lookAt(isFull ? [...this.#outlets.keys()] : [...named]);
    if (this.#named.size > 0) this.#alarm.set(0);
    else this.#alarm.set(isExpecting ? expectedEveryMs : Math.max(1, this.#nextFullLook - performance.now()));
  }

  async #lookAt(streams: readonly string[]): Promise<void> {
    await Promise.all(
      streams.map(async (stream) => {
        const outlet = this.#outlets.get(stream);
        if (outlet) await this.#bring(outlet);
      }),
    );
  }

  /** Never rejects: what goes wrong with one stream keeps no other waiting. */
  async #bring(outlet: EventOutlet): Promise<void> {
    const { table } = outlet;
    try {
      for (let isUnfinished = true; isUnfinished && !this.#stopping.signal.aborted;) {
        const placed = await table.place(placePage);
        if (outlet.isOpen) await this.#copy(outlet, placed.last);
        ({ isUnfinished } = placed);
      }
    } catch (error) {
      if (this.#database.isClosing) return;
      const isNotUsed = error instanceof KeylineError && error.code === "NOT_MIGRATED";
      if (!isNotUsed)
        this.#logger.warn(
          { stream: table.stream, error: toError(error).message },
          "committed events could not be brought to Valkey yet; it is tried again",
        );
    }
  }

  /** Copies what the record has after the last event on Valkey, up to `last`. */
  async #copy(outlet: EventOutlet, last: string): Promise<void> {
    let end = (await outlet.end()) ?? (await outlet.begin());
    while (end !== undefined && end !== last && !this.#stopping.signal.aborted) {
      const events = await outlet.table.readAfter(end, copyPage);
      if (events.length === 0) return;
      end = await outlet.append(end, events);
    }
  }
}
