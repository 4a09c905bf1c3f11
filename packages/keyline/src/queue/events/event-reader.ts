import { toError } from "../../runtime/errors.ts";
import { Iteration } from "../../runtime/iteration.ts";
import type { Logger } from "../../runtime/logger.ts";
import { PagedSource } from "../../runtime/paged-source.ts";
import { ProcessHold } from "../../runtime/process-hold.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import { isConnectionError } from "../../valkey/client/connection.ts";
import type { StreamTails } from "../../valkey/client/stream-tails.ts";
import { entryBefore, type EventPage, type EventPlace } from "../../valkey/queue/events.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { walkEvents } from "./event-walk.ts";
import { checkEvents, toQueueEvent, type EventsOptions, type QueueEvent } from "./queue-event.ts";
import type { Tracker } from "./tracker.ts";

export interface EventReaderParts {
  readonly queue: string;
  readonly store: QueueStore;
  readonly tails: StreamTails;
  readonly tracker: Tracker;
  readonly closing: AbortSignal;
  readonly logger: Logger;
}

/** So many keep Valkey for half a millisecond. */
const pageSize = 100;

/** Follows what becomes of a queue's jobs: what is kept first, then what comes, page after page from one numbered log. */
export function followEvents(parts: EventReaderParts, options: EventsOptions): Iteration<QueueEvent> {
  const reader = new EventReader(parts, options);
  const signals = options.signal ? [options.signal, parts.closing] : [parts.closing];
  const pages = new PagedSource((signal) => reader.next(signal), signals);
  return new Iteration<QueueEvent>(pages);
}

class EventReader {
  readonly #parts: EventReaderParts;
  readonly #options: EventsOptions;
  readonly #since: EventPlace | "earliest" | "end";
  #place: EventPlace | undefined;
  #hasBegun = false;

  constructor(parts: EventReaderParts, options: EventsOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#since = checkEvents(options);
  }

  async next(signal: AbortSignal): Promise<readonly QueueEvent[] | undefined> {
    const { tracker, tails, store } = this.#parts;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      const hold = new ProcessHold();
      const stopTracking = tracker.track("events");
      const stop = (): void => {
        hold.release();
        stopTracking();
      };
      hold.take();
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
      await tracker.whenTold(signal);
    }
    const from = this.#place ?? this.#since;
    const page = await this.#whileAway(signal, () => store.events.page(from, pageSize));
    if (!page || signal.aborted) return undefined;
    const { end } = page;
    if (!this.#place) {
      // At the beginning of what is kept nothing is missing in front of it.
      const first = page.entries[0]?.place;
      this.#place = typeof from === "object" ? from : from === "earliest" && first ? { ...first, count: first.count - 1 } : end;
    }
    // What is read was lost, and nobody has begun anew: that is about to be done.
    if (!this.#place || !end) {
      await delay(50, signal);
      return [];
    }
    const events = this.#follow(page, this.#place);
    if (events.length === 0 && page.entries.length === 0) await tails.whenAfter(store.events.key, entryBefore(this.#place), signal);
    return events;
  }

  #follow(page: EventPage, from: EventPlace): QueueEvent[] {
    const { queue } = this.#parts;
    const { steps, place } = walkEvents(queue, page, { from, isEnd: page.entries.length < pageSize });
    const events: QueueEvent[] = [];
    for (const step of steps) {
      if (step.kind === "gap") {
        this.#options.onGap?.(step.gap);
      } else {
        const event = toQueueEvent(step.entry);
        if (event) events.push(event);
      }
    }
    this.#place = place;
    return events;
  }

  async #whileAway<Result>(signal: AbortSignal, read: () => Promise<Result>): Promise<Result | undefined> {
    const { connection } = this.#parts.store;
    for (let failures = 0; !signal.aborted;) {
      try {
        if (!connection.isReady) await connection.ensureReady(60_000, signal);
        return await read();
      } catch (error) {
        if (signal.aborted || !isConnectionError(error)) throw error;
        this.#parts.logger.debug({ error: toError(error).message }, "events of a queue could not be read; it is tried again");
        await delay(retryDelay(failures++, { first: 50 }), signal);
      }
    }
    return undefined;
  }
}
