import type { Entry, Message, QueueEvent, QueueEventGap } from "keyline";
import type { QueueEventRow } from "../api/live.ts";
import { toMessageRow, type KnownChannel } from "../channel/channel-view.ts";
import type { Desk } from "../desk.ts";
import { patiently } from "../library/patience.ts";
import type { KnownQueue } from "../queue/queue-view.ts";
import { toEntryRow } from "../stream/stream-routes.ts";
import type { KnownStream } from "../stream/stream-view.ts";
import { Rows } from "./rows.ts";
import { mostBehind, mostRows, type Tail } from "./source.ts";

const patienceMs = 2_000;
const buffered = 1_000;
/** No entry has this id. */
const beforeAll = "0-0";

/** What is published on a channel from now on, or behind a cursor. */
export function channelTail(desk: Desk, { thing: channel }: KnownChannel, since?: string): Tail {
  const rows = new Rows<Message>();
  const stopping = new AbortController();
  let isReady = false;
  let place = since;
  let isOver = false;
  const hear = (message: Message): void => {
    rows.push(message);
    if (since === undefined || rows.pending <= mostBehind) return;
    isOver = true;
    stopping.abort();
  };
  const subscription = channel.subscribe(hear, {
    since,
    buffer: buffered,
    whenFull: "drop-oldest",
    onGap: ({ missed }) => rows.miss(missed),
    signal: stopping.signal,
  });
  subscription.ready.then(
    () => (isReady = true),
    () => undefined,
  );
  return {
    kind: "channel",
    get place() {
      return place;
    },
    get isOver() {
      return isOver;
    },
    take: () => {
      place = subscription.cursor ?? (isReady ? "" : undefined);
      return Promise.resolve(rows.take((message) => toMessageRow(desk, message)));
    },
    close: () => stopping.abort(),
  };
}

/** What becomes of a queue's jobs from now on, or behind a cursor. Its workers write that down as long as somebody looks. */
export function eventsTail(desk: Desk, { name, thing: queue }: KnownQueue, since?: string): Tail {
  const rows = new Rows<QueueEvent>();
  const stopping = new AbortController();
  let reached = since ?? "";
  let place: string | undefined = since;
  let isOver = false;
  const onGap = ({ missed, cursor }: QueueEventGap): void => {
    rows.miss(missed);
    reached = cursor;
  };
  const events = queue.events({ ...(since !== undefined && { since }), signal: stopping.signal, onGap });
  void (async () => {
    for await (const event of events) {
      rows.push(event);
      reached = event.cursor;
      if (since !== undefined && rows.pending > mostBehind) break;
    }
  })()
    .catch((error: unknown) => {
      if (!stopping.signal.aborted) desk.logError(error, "the events of a queue could not be followed any more", { queue: name });
    })
    .finally(() => (isOver = true));
  return {
    kind: "events",
    get place() {
      return place;
    },
    get isOver() {
      return isOver;
    },
    take: () => {
      place = reached;
      return Promise.resolve(rows.take((event) => toEventRow(desk, event)));
    },
    close: () => stopping.abort(),
  };
}

/** What is appended to a stream from now on, or behind an entry. Read from its end, the newest first: what is too much to be shown is not read either. */
export function streamTail(desk: Desk, { thing: stream }: KnownStream, since?: string): Tail {
  // Throws at once for what is no id.
  if (since !== undefined) stream.read({ from: since, limit: 1 });
  let place = since;
  const readNewest = async (from: string | undefined): Promise<Entry<unknown>[]> => {
    const entries: Entry<unknown>[] = [];
    // With the one that was the last, as far as it is kept: then none is missing between.
    const range = from === undefined ? { limit: 1 } : { from, limit: mostRows + 1 };
    for await (const entry of stream.read({ ...range, reverse: true })) entries.push(entry);
    return entries;
  };
  return {
    kind: "stream",
    get place() {
      return place;
    },
    isOver: false,
    take: async () => {
      const last = place;
      const newest = await patiently(desk.health, readNewest(last), patienceMs);
      place = newest[0]?.id ?? last ?? beforeAll;
      if (last === undefined) return undefined;
      const isWhole = newest.at(-1)?.id === last || (last === beforeAll && newest.length <= mostRows);
      const came = isWhole ? newest.filter(({ id }) => id !== last) : newest.slice(0, mostRows);
      if (came.length === 0) return undefined;
      return { rows: came.toReversed().map((entry) => toEntryRow(desk, entry)), skipped: isWhole ? 0 : undefined };
    },
    close: () => undefined,
  };
}

function toEventRow({ redactor }: Desk, event: QueueEvent): QueueEventRow {
  return {
    type: event.type,
    at: event.at,
    id: event.id ?? null,
    attempt: "attempt" in event ? (event.attempt ?? null) : null,
    error: "error" in event && event.error !== undefined ? redactor.text(event.error) : null,
    tookMs: "tookMs" in event ? (event.tookMs ?? null) : null,
    delayMs: "delayMs" in event ? event.delayMs : null,
    group: "group" in event ? (event.group ?? null) : null,
    progress: "progress" in event ? redactor.value(event.progress ?? null) : null,
  };
}
