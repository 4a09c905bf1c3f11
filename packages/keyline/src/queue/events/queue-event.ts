import { KeylineError } from "../../runtime/errors.ts";
import { checkFunction, checkOptionNames } from "../../runtime/options.ts";
import type { EventEntry, EventPlace } from "../../valkey/queue/events.ts";

interface Told {
  /** When, in milliseconds since 1970, by the clock of Valkey. */
  readonly at: number;
  /** Where to go on behind it. */
  readonly cursor: string;
}

interface OfJob extends Told {
  /** The job's. */
  readonly id: string;
}

/** Something that became of a job, or of the queue. */
export type QueueEvent =
  | (OfJob & { readonly type: "added" })
  | (OfJob & { readonly type: "started"; readonly attempt: number })
  | (OfJob & { readonly type: "progress"; readonly progress: unknown })
  /** The next attempt begins after `delayMs`. Without an error it put itself off. */
  | (OfJob & { readonly type: "retried"; readonly attempt: number; readonly error: string | undefined; readonly delayMs: number })
  /** Of one whose worker died before it could tell, neither is known; then it may be told twice, and so may that it is dead. */
  | (OfJob & { readonly type: "completed"; readonly attempt: number | undefined; readonly tookMs: number | undefined })
  | (OfJob & { readonly type: "dead"; readonly attempt: number; readonly error: string })
  | (OfJob & { readonly type: "cancelled" })
  /** All of the queue, or one group. */
  | (Told & { readonly type: "paused" | "resumed"; readonly group: string | undefined; readonly id?: undefined });

/** What a follower of events has missed. */
export interface QueueEventGap {
  readonly queue: string;
  /**
   * - `unwatched`: nobody followed for a while, so that nothing was written;
   * - `trimmed`: there were more events than are kept;
   * - `restarted`: Valkey was restarted or a replica took over, and events of its last moments may be missing;
   * - `lost`: Valkey lost what was there.
   */
  readonly reason: "unwatched" | "trimmed" | "restarted" | "lost";
  /** How many events, if that is known. */
  readonly missed: number | undefined;
  /** Where to go on behind the gap. */
  readonly cursor: string;
}

export interface EventsOptions {
  /** The cursor behind which to begin, or "earliest" for all that is kept. Default: what comes from now on. */
  readonly since?: string;
  /** Called in order, before the first event behind what is missing. */
  readonly onGap?: (gap: QueueEventGap) => void;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

const names = new Set<string>(["since", "onGap", "signal"] satisfies (keyof EventsOptions)[]);
const pattern = /^(\d{1,15})\.(\d{1,15})$/;

/** Where an iteration begins. Throws INVALID_OPTION and INVALID_CURSOR. */
export function checkEvents(options: EventsOptions): EventPlace | "earliest" | "end" {
  checkOptionNames("events", options, names);
  if (options.onGap !== undefined) checkFunction("onGap", options.onGap);
  const { since } = options;
  if (since === undefined) return "end";
  if (since === "earliest") return since;
  const match = typeof since === "string" ? pattern.exec(since) : null;
  if (!match) {
    throw new KeylineError(
      "INVALID_CURSOR",
      `${JSON.stringify(since)} is no cursor of a queue's events: pass one as it was given, or "earliest"`,
    );
  }
  return { period: match[1] ?? "", count: Number(match[2]) };
}

export function formatPlace({ period, count }: EventPlace): string {
  return `${period}.${count}`;
}

/** Undefined for one that a newer version wrote, and this one does not know. */
export function toQueueEvent({ what, id, at, details, place }: EventEntry): QueueEvent | undefined {
  const told = { at, cursor: formatPlace(place) };
  const fields = readDetails(details);
  const numberOf = (name: string): number | undefined => (typeof fields[name] === "number" ? fields[name] : undefined);
  const textOf = (name: string): string | undefined => (typeof fields[name] === "string" ? fields[name] : undefined);
  switch (what) {
    case "added":
    case "cancelled":
      return { type: what, id, ...told };
    case "started":
      return { type: what, id, ...told, attempt: numberOf("attempt") ?? 1 };
    case "progress":
      return { type: what, id, ...told, progress: readJson(details) };
    case "retried":
      return { type: what, id, ...told, attempt: numberOf("attempt") ?? 1, error: textOf("error"), delayMs: numberOf("delayMs") ?? 0 };
    case "completed":
      return { type: what, id, ...told, attempt: numberOf("attempt"), tookMs: numberOf("tookMs") };
    case "dead":
      return { type: what, id, ...told, attempt: numberOf("attempt") ?? 0, error: textOf("error") ?? "" };
    case "paused":
    case "resumed":
      return { type: what, ...told, group: textOf("group") };
    default:
      return undefined;
  }
}

function readDetails(details: string): Readonly<Record<string, unknown>> {
  const value = readJson(details);
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function readJson(text: string): unknown {
  try {
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}
