import type { Entry } from "keyline";
import { appendBody, entriesQuery, type EntriesPage, type EntryRow } from "../api/stream.ts";
import type { Desk } from "../desk.ts";
import { parse } from "../http/json-body.ts";
import { Refusal } from "../http/refusal.ts";
import type { Ask, Route } from "../http/router.ts";
import { readSome, roughSize } from "../library/pages.ts";
import { readStream, type KnownStream } from "./stream-view.ts";

/** A stream and its entries. */
export function streamRoutes(desk: Desk): Route[] {
  const find = ({ param }: Ask): Promise<KnownStream> => desk.shapes.streams.find(param("stream"));
  return [
    { method: "GET", path: "streams/:stream", answer: async (ask) => readStream(desk, await find(ask)) },
    { method: "GET", path: "streams/:stream/entries", answer: async (ask) => readEntries(desk, await find(ask), ask) },
    { method: "POST", path: "streams/:stream/append", answer: async (ask) => append(desk, await find(ask), ask) },
  ];
}

async function readEntries(desk: Desk, { thing: stream }: KnownStream, { query }: Ask): Promise<EntriesPage> {
  const { from, at, reverse, key, cursor, limit } = parse(entriesQuery, query);
  const isReverse = reverse === "true";
  const begin = cursor ?? toPlace(from) ?? at;
  const entries = stream.read({
    ...(begin !== undefined && (isReverse ? { to: begin } : { from: begin })),
    ...(key !== undefined && { key }),
    reverse: isReverse,
    // The one that the last page ended with comes again.
    limit: limit + 1 + Number(cursor !== undefined),
  });
  const { rows, hasMore } = await readSome(desk.health, without(entries, cursor), { limit, sizeOf: ({ data }) => roughSize(data) });
  const isOne = limit === 1 && from !== undefined;
  return { entries: rows.map((entry) => toEntryRow(desk, entry, isOne)), next: hasMore ? (rows.at(-1)?.id ?? null) : null };
}

export function toEntryRow({ payloads }: Desk, { id, at, key, data }: Entry<unknown>, isWhole = false): EntryRow {
  return { id, at, key: key ?? null, payload: isWhole ? payloads.whole(data) : payloads.inList(data) };
}

/** An id stays one; digits alone are a time. */
function toPlace(from: string | undefined): string | number | undefined {
  if (from === undefined || !/^\d{1,16}$/.test(from)) return from;
  return Number(from);
}

async function* without(entries: AsyncIterable<Entry<unknown>>, id: string | undefined): AsyncGenerator<Entry<unknown>, void, undefined> {
  for await (const entry of entries) if (entry.id !== id) yield entry;
}

async function append({ audited, redactor }: Desk, { name, thing: stream }: KnownStream, { body, visitor }: Ask): Promise<unknown> {
  const { data } = parse(appendBody, body);
  if (data === undefined) throw new Refusal({ status: 400, code: "INVALID_REQUEST", title: "There is nothing to append: data is missing" });
  const own = redactor.restore(data, undefined);
  return audited.do(visitor, { action: "append", target: `stream:${name}` }, async () => {
    const { id, appended } = await stream.append(own);
    return { id, appended };
  });
}
