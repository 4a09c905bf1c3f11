import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const tell = script(1, "oom", "base", "place", "tell-event", "events-tell");
const tellAdded = script(1, "base", "place", "tell-event", "events-tell");
const progress = script(1, "oom", "base", "place", "tell-event", "progress");
const page = script(1, "base", "events-page");

/** Something that became of a job, or of the queue, with details as JSON. */
export interface TellableEvent {
  readonly what: string;
  /** Empty where it is no job's. */
  readonly id: string;
  readonly details: string;
}

/** A place in the stream of events: behind so many of a period. */
export interface EventPlace {
  readonly period: string;
  readonly count: number;
}

export interface EventEntry extends TellableEvent {
  /** Behind it. */
  readonly place: EventPlace;
  /** When, in the server's milliseconds. */
  readonly at: number;
}

export interface EventPage {
  /** Where it ends now; undefined where nobody ever followed. */
  readonly end: EventPlace | undefined;
  /** The period before the present one, and why that began. */
  readonly before: string;
  readonly why: string;
  readonly entries: readonly EventEntry[];
}

type Reply = [period: string, count: number, before: string, why: string, entries: [string, string[]][]];

/** What becomes of the jobs of one queue, for those who follow it: see scripts/tell-event.lua. */
export class Events {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  get key(): string {
    return this.#keys.events;
  }

  /** Returns whether somebody follows. */
  async tell(events: readonly TellableEvent[]): Promise<boolean> {
    const values = events.flatMap(({ what, id, details }) => [what, id, details]);
    return (await tell.run(this.#connection, [this.#keys.workers, ...values])) === 1;
  }

  /** The same, as little allowed as adding is where memory has run out. */
  async tellAdded(events: readonly TellableEvent[]): Promise<void> {
    const values = events.flatMap(({ what, id, details }) => [what, id, details]);
    await tellAdded.run(this.#connection, [this.#keys.workers, ...values]);
  }

  /** Notes how far jobs have come; it is kept for `ms` at the most. */
  async progress(jobs: readonly (readonly [id: string, json: string])[], ms: number): Promise<void> {
    await progress.run(this.#connection, [this.#keys.workers, ms, ...jobs.flat()]);
  }

  /** Undefined where nothing was said. */
  async progressOf(id: string): Promise<unknown> {
    const json = await this.#connection.client.get(this.#keys.progress(id));
    return json === null ? undefined : (JSON.parse(json) as unknown);
  }

  /** Up to `limit` entries behind a place, or from the beginning; none for the end. */
  async page(from: EventPlace | "earliest" | "end", limit: number): Promise<EventPage> {
    const place = from === "earliest" ? ["", ""] : from === "end" ? ["", "+"] : [from.period, from.count];
    const reply = (await page.run(this.#connection, [this.#keys.workers, ...place, limit])) as Reply;
    const [period, count, before, why, entries] = reply;
    return { end: period === "" ? undefined : { period, count }, before, why, entries: entries.map(toEntry) };
  }
}

/** The id of the last entry before a place, as the stream has it: what to wait behind. */
export function entryBefore({ period, count }: EventPlace): string {
  return count > 0 ? `${period}-${count - 1}` : `${Number(period) - 1}-18446744073709551615`;
}

function toEntry([entry, [, what = "", , id = "", , at = "", , details = ""]]: [string, string[]]): EventEntry {
  const [period = "", number = ""] = entry.split("-");
  return { place: { period, count: Number(number) + 1 }, what, id, at: Number(at), details };
}
