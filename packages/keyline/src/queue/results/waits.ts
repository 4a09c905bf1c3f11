/*
 * DESIGN. Who waits for a job's end is told by the stream of ends: whatever ends after somebody has begun to follow it is told. What ended before is
 * looked for once, after that: so nothing falls between the two. All of a process that wait for jobs of one queue follow it together, and look together.
 *
 * - A job whose result is kept can be looked up after its end, however late. Of another one nothing is left: who waits for such a job has workers tell
 *   every end (`tracked`), and takes it for completed when it was there and is gone.
 * - On a plain queue nobody knows without a look through all of it whether a job is there at all. That look is made beside the wait, once for all who have begun
 *   to wait (seeker.ts).
 * - An id that its caller chose may be used again: what is told of it may be late, and of the job before. So whoever is told looks whether it is there again.
 * - A job that this process added while it followed the stream has not ended unheard: nobody looks for it (expected.ts).
 * - After a flush, a failover or a break that may have hidden something everybody's job is looked for once more.
 */
import { setImmediate } from "../../runtime/clock.ts";
import { Deadlines } from "../../runtime/deadlines.ts";
import { KeylineError, toError } from "../../runtime/errors.ts";
import { isNewId } from "../../runtime/ids.ts";
import type { Logger } from "../../runtime/logger.ts";
import { checkId } from "../../runtime/names.ts";
import type { StreamTails } from "../../valkey/client/stream-tails.ts";
import type { End } from "../../valkey/queue/ends.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Tracker } from "../events/tracker.ts";
import { Awaited } from "./awaited.ts";
import { EndsTail } from "./ends-tail.ts";
import { Expected } from "./expected.ts";
import type { Found, OutcomeShelf } from "./found.ts";
import { JobCancelledError, JobDeadError, unknownJob } from "./job-errors.ts";
import { Presence } from "./presence.ts";
import { Seeker } from "./seeker.ts";
import { untilThere } from "./until-there.ts";
import { UnkeptWatch } from "./unkept-watch.ts";
import type { WaitOptions } from "./wait-options.ts";

export interface WaitsParts {
  readonly queue: string;
  readonly store: QueueStore;
  readonly shelf: OutcomeShelf;
  readonly tails: StreamTails;
  readonly tracker: Tracker;
  /** For how long the queue keeps results, where a job does not say. */
  readonly keepMs: number | undefined;
  readonly logger: Logger;
}

const lookPage = 250;
/** So long the stream is still followed when nobody waits any more: the next wait may begin soon. */
const lingerMs = 1_000;

/** Everybody in this process who waits for jobs of one queue to end. */
export class Waits {
  readonly #parts: WaitsParts;
  readonly #awaited = new Map<string, Awaited>();
  readonly #awaiting: ConstructorParameters<typeof Awaited>[1];
  readonly #closing = new AbortController();
  readonly #seeker: Seeker | undefined;
  readonly #presence = new Presence(lingerMs, () => this.#stopTail());
  readonly #deadlines = new Deadlines();
  readonly #expected = new Expected();
  readonly #unkept: UnkeptWatch;
  #toLook = new Set<string>();
  #isLooking = false;
  #tail: { readonly tail: EndsTail; readonly begun: Promise<void> } | undefined;

  constructor(parts: WaitsParts) {
    this.#parts = parts;
    const { queue, shelf, tracker, logger } = parts;
    this.#awaiting = { queue, deadlines: this.#deadlines, over: (one: Awaited) => this.#drop(one) };
    this.#unkept = new UnkeptWatch(tracker, () => {
      this.#lookSoon([...this.#awaited.values()].flatMap((one) => (one.isTracked ? [one.id] : [])));
    });
    if (!shelf.seek) return;
    this.#seeker = new Seeker({
      shelf: { find: (ids) => shelf.find(ids), seek: shelf.seek.bind(shelf) },
      signal: this.#closing.signal,
      logger,
      found: (id, found) => this.#follow(id, found),
      gone: (id) => this.#noteGone(id),
    });
  }

  /** Resolves with the job's result. Throws INVALID_ID. */
  for(id: string, options: WaitOptions): Promise<unknown> {
    options.signal?.throwIfAborted();
    const isExpected = this.#expected.take(id);
    if (!isExpected) checkId(id);
    let one = this.#awaited.get(id);
    if (!one) this.#awaited.set(id, (one = new Awaited(id, this.#awaiting)));
    const waiting = one.wait(options);
    this.#begin();
    if (isExpected) {
      one.wasThere = true;
      one.isOwn = true;
      one.isKept = true;
    } else {
      this.#lookSoon([id]);
    }
    return waiting;
  }

  /** A job is about to be added whose result is kept, under an id that nobody knows yet. */
  noteAdd(id: string): void {
    this.#expected.note(id);
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#closing.abort();
    const error = new KeylineError("CLOSED", "This Keyline was closed while somebody waited for a job: the job goes on elsewhere");
    for (const awaited of this.#awaited.values()) awaited.reject(error);
    this.#presence.close();
    this.#deadlines.close();
    this.#stopTail();
  }

  #begin(): void {
    this.#presence.come();
    if (this.#tail) return;
    const { store, tails, logger } = this.#parts;
    const events = {
      ended: (end: End): void => this.#noteEnd(end),
      lookAgain: (): void => this.#lookAgain(),
    };
    const tail = new EndsTail(store, { tails, logger, events });
    const begun = this.#insist(() => tail.begin());
    const own = { tail, begun };
    this.#tail = own;
    begun.then(
      () => this.#tail === own && this.#expected.open(),
      // Whoever looks hears of it.
      () => undefined,
    );
  }

  #stopTail(): void {
    this.#tail?.tail.stop();
    this.#tail = undefined;
    this.#expected.close();
  }

  #drop(one: Awaited): void {
    const { id } = one;
    if (this.#awaited.get(id) !== one) return;
    this.#awaited.delete(id);
    this.#seeker?.forget(id);
    if (this.#unkept.isOn && ![...this.#awaited.values()].some((one) => one.isTracked)) this.#unkept.stop();
    if (this.#awaited.size > 0) return;
    if (!this.#closing.signal.aborted) this.#presence.go();
  }

  #noteEnd({ id, value }: End): void {
    const awaited = this.#awaited.get(id);
    if (!awaited) return void this.#expected.take(id);
    awaited.wasThere = true;
    if (value !== undefined && (awaited.isOwn || isNewId(id))) return awaited.complete(value);
    awaited.told = value;
    this.#lookSoon([id]);
  }

  #lookAgain(): void {
    this.#expected.forget();
    for (const awaited of this.#awaited.values()) awaited.isDoubtful = true;
    this.#lookSoon(this.#awaited.keys());
  }

  // All of one turn of the event loop look together.
  #lookSoon(ids: Iterable<string>): void {
    for (const id of ids) this.#toLook.add(id);
    if (this.#isLooking || this.#toLook.size === 0) return;
    this.#isLooking = true;
    setImmediate(() => void this.#look());
  }

  async #look(): Promise<void> {
    try {
      while (this.#toLook.size > 0 && !this.#closing.signal.aborted) {
        // Also by those that follow anew since the last page: what ends behind the look is told.
        for (let own = this.#tail; own; own = own === this.#tail ? undefined : this.#tail) await own.begun;
        const ids = [...this.#toLook].slice(0, lookPage);
        for (const id of ids) this.#toLook.delete(id);
        const found = await this.#insist(() => this.#parts.shelf.find(ids));
        found?.forEach((one, index) => this.#follow(ids[index] ?? "", one));
      }
    } catch (error) {
      // It will not be allowed next time either.
      this.#toLook.clear();
      for (const awaited of this.#awaited.values()) awaited.reject(toError(error));
      this.#stopTail();
    } finally {
      this.#isLooking = false;
    }
    if (this.#toLook.size > 0) this.#lookSoon([]);
  }

  /** Tries until both stores are there. Undefined when this Keyline was closed. */
  #insist<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    const { store, logger } = this.#parts;
    return untilThere(work, { connection: store.connection, logger, signal: this.#closing.signal });
  }

  #follow(id: string, found: Found): void {
    const awaited = this.#awaited.get(id);
    if (!awaited) return;
    const { queue, keepMs } = this.#parts;
    const { told } = awaited;
    // What was told behind this look is looked for by the next one.
    if (!this.#toLook.has(id)) awaited.told = undefined;
    switch (found.state) {
      case "completed":
        return awaited.complete(found.json ?? "");
      case "dead":
        return awaited.reject(new JobDeadError({ id, queue, reason: found.reason, attempts: found.attempts }));
      case "cancelled":
        return awaited.reject(new JobCancelledError({ id, queue }));
      case "open": {
        awaited.wasThere = true;
        if (found.isKept === undefined && this.#seeker && awaited.isKept === undefined) return this.#seekSoon(awaited);
        awaited.isKept = found.isKept ?? awaited.isKept ?? (keepMs ?? 0) > 0;
        if (!awaited.isKept) this.#track(awaited);
        return;
      }
      case "none":
        if (told !== undefined) awaited.complete(told);
        else if (this.#seeker) this.#seekSoon(awaited);
        else this.#noteGone(id);
    }
  }

  #seekSoon({ id, isDoubtful }: Awaited): void {
    const isKept = (this.#parts.keepMs ?? 0) > 0;
    this.#seeker?.seek(id, { isHurried: !isKept || isDoubtful });
  }

  /** It is not there, and nothing is remembered of it. */
  #noteGone(id: string): void {
    const awaited = this.#awaited.get(id);
    if (!awaited) return;
    // Of a plain queue that may have lost its memory nobody knows.
    const isSure = !this.#seeker || !awaited.isDoubtful;
    if (awaited.wasThere && awaited.isKept !== true && isSure) awaited.resolve(undefined);
    else awaited.reject(unknownJob(id, this.#parts.queue));
  }

  #track(awaited: Awaited): void {
    awaited.isTracked = true;
    this.#unkept.start();
  }
}
