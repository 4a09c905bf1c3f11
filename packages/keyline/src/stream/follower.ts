import { isOutage } from "../postgres/client/failures.ts";
import { KeylineError } from "../runtime/errors.ts";
import { Iteration } from "../runtime/iteration.ts";
import type { Logger } from "../runtime/logger.ts";
import { PagedSource } from "../runtime/paged-source.ts";
import { delay } from "../runtime/waiting.ts";
import { isConnectionError, type ValkeyConnection } from "../valkey/client/connection.ts";
import type { StreamTails } from "../valkey/client/stream-tails.ts";
import type { Entry } from "./entry.ts";
import { compareIds, toEntryId, isEntryId } from "./entry-id.ts";
import type { EntryReader } from "./entry-reader.ts";
import type { FollowOptions, StreamGap } from "./options.ts";
import type { Reading, ReadPlace } from "./reading.ts";
import type { SharedPages } from "./shared-pages.ts";
import { TailWait } from "./tail-wait.ts";

export interface FollowerParts<Data> {
  readonly stream: string;
  readonly eventsKey: string;
  readonly reading: Reading;
  readonly pages: SharedPages;
  readonly tails: StreamTails;
  readonly reader: EntryReader<Data>;
  readonly connection: ValkeyConnection;
  readonly closing: AbortSignal;
  readonly logger: Logger;
}

/**
 * Reads a stream from a place on and never ends: history first, then what is appended, one page after the other from one ordered log, so
 * that there is no seam between the two. Nothing is read before it is asked for: a slow reader costs nobody memory.
 */
export function follow<Data>(parts: FollowerParts<Data>, options: FollowOptions): Iteration<Entry<Data>> {
  const follower = new Follower(parts, options);
  const signals = options.signal ? [options.signal, parts.closing] : [parts.closing];
  return new Iteration(new PagedSource((signal) => follower.next(signal), signals));
}

class Follower<Data> {
  readonly #parts: FollowerParts<Data>;
  readonly #options: FollowOptions;
  readonly #wait: TailWait;
  #place: ReadPlace | undefined;

  constructor(parts: FollowerParts<Data>, options: FollowOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#wait = new TailWait(parts.tails, parts.eventsKey);
  }

  /** Entries behind the place, which moves on; none when there were none, after some have come, or what is missing was announced. */
  async next(signal: AbortSignal): Promise<readonly Entry<Data>[] | undefined> {
    const { stream, pages, reader, connection } = this.#parts;
    this.#place ??= await beginning(this.#parts, this.#options, signal);
    const place = this.#place;
    if (!place) return undefined;
    const page = await whileAway(this.#parts, signal, () => pages.next(place));
    if (!page || signal.aborted) return undefined;
    if (page.gap) {
      this.#place = { after: page.gap.until, epoch: page.epoch, added: page.added };
      announce({ stream, reason: page.gap.reason, after: place.after, until: page.gap.until }, this.#options);
      return [];
    }
    const last = page.entries.at(-1);
    if (!last) {
      // A time that is still to come is no place that somebody has been at.
      const isAhead = compareIds(place.after, page.newest) > 0;
      this.#place = isAhead ? place : { ...place, epoch: page.epoch, added: page.added };
      // Never after an id that is not there: a reader that waits after the newest entry is told of anything new.
      await this.#wait.news(isAhead ? page.newest : place.after, signal);
      if (!connection.isReady) await connection.whenReady(60_000, signal);
      return [];
    }
    this.#wait.reset();
    const entries = await reader.receiveAll(page.entries);
    this.#place = { after: last.id, epoch: page.epoch, isHeld: true, added: page.added };
    return entries;
  }
}

async function beginning<Data>(parts: FollowerParts<Data>, { after }: FollowOptions, signal: AbortSignal): Promise<ReadPlace | undefined> {
  if (after === undefined || after === "+") return whileAway(parts, signal, () => parts.reading.end());
  const isKnown = typeof after === "string" && isEntryId(after) && after !== "0-0";
  return { after: toEntryId("after", after, "last"), epoch: isKnown ? "" : undefined };
}

/** Tries until both stores that it needs are there; undefined when the signal ended that. */
async function whileAway<Data, Result>(
  { connection, logger, stream }: FollowerParts<Data>,
  signal: AbortSignal,
  read: () => Promise<Result>,
): Promise<Result | undefined> {
  while (!signal.aborted) {
    try {
      if (!connection.isReady) await connection.ensureReady(60_000, signal);
      return await read();
    } catch (error) {
      if (!isPassing(error)) throw error;
      logger.debug({ stream, error: String(error) }, "a stream could not be read; it is tried again");
      await delay(200, signal);
    }
  }
  return undefined;
}

function isPassing(error: unknown): boolean {
  if (error instanceof KeylineError) return isOutage(error) || error.code === "VALKEY_UNAVAILABLE";
  return isConnectionError(error);
}

function announce(gap: StreamGap, { onGap }: FollowOptions): void {
  if (onGap) return onGap(gap);
  const why = gap.reason === "trimmed" ? "retention dropped what follows it" : "Valkey lost what followed it";
  throw new KeylineError(
    "GAP",
    `Stream ${gap.stream} cannot be followed without a gap from ${gap.after}: ${why}. Pass onGap to go on after the gap, or follow from "-"`,
  );
}
