import type { Entry, Message, QueueEvent } from "keyline";
import type { QueueEventRow } from "../api/live.ts";
import { toMessageRow, type KnownChannel } from "../channel/channel-view.ts";
import type { Desk } from "../desk.ts";
import { patiently } from "../library/patience.ts";
import type { KnownQueue } from "../queue/queue-view.ts";
import { toEntryRow } from "../stream/stream-routes.ts";
import type { KnownStream } from "../stream/stream-view.ts";
import { Rows } from "./rows.ts";
import { mostRows, type Tail } from "./source.ts";

const patienceMs = 2_000;
const buffered = 1_000;

/** What is published on a channel from now on. */
export function channelTail(desk: Desk, { thing: channel }: KnownChannel): Tail {
  const rows = new Rows<Message>();
  const subscription = channel.subscribe((message) => rows.push(message), {
    buffer: buffered,
    whenFull: "drop-oldest",
    onGap: ({ missed }) => rows.miss(missed),
  });
  return {
    kind: "channel",
    take: () => Promise.resolve(rows.take((message) => toMessageRow(desk, message))),
    close: () => void subscription.close(),
  };
}

/** What becomes of a queue's jobs from now on. Its workers write that down as long as somebody looks. */
export function eventsTail(desk: Desk, { name, thing: queue }: KnownQueue): Tail {
  const rows = new Rows<QueueEvent>();
  const stopping = new AbortController();
  void (async () => {
    const events = queue.events({ signal: stopping.signal, onGap: ({ missed }) => rows.miss(missed) });
    for await (const event of events) rows.push(event);
  })().catch((error: unknown) => {
    if (!stopping.signal.aborted) desk.logError(error, "the events of a queue could not be followed any more", { queue: name });
  });
  return {
    kind: "events",
    take: () => Promise.resolve(rows.take((event) => toEventRow(desk, event))),
    close: () => stopping.abort(),
  };
}

/** What is appended to a stream from now on. Read from its end, the newest first: what is too much to be shown is not read either. */
export function streamTail(desk: Desk, { thing: stream }: KnownStream): Tail {
  let last: string | undefined;
  const readNewest = async (limit: number): Promise<Entry<unknown>[]> => {
    const entries: Entry<unknown>[] = [];
    for await (const entry of stream.read({ reverse: true, limit })) {
      if (entry.id === last) return entries;
      entries.push(entry);
    }
    return entries;
  };
  return {
    kind: "stream",
    take: async () => {
      const isFirst = last === undefined;
      const newest = await patiently(desk.health, readNewest(isFirst ? 1 : mostRows), patienceMs);
      last = newest[0]?.id ?? last ?? "";
      if (isFirst || newest.length === 0) return undefined;
      const rows = newest.toReversed().map((entry) => toEntryRow(desk, entry));
      return { rows, skipped: newest.length < mostRows ? 0 : undefined };
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
