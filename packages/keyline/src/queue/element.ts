import { parseJson } from "../runtime/json.ts";
import { readTrace, traceJson } from "../runtime/probe.ts";
import type { Tick } from "./schedules/schedule-state.ts";

/**
 * A job as an element of a Valkey list: JSON, at least `{"id":"...","data":...}`, so that any language can add one.
 *
 * What Keyline writes has its fields in a fixed order, `attempts` (left out at zero) before `id` before everything else: scripts
 * raise the count and read the id by looking at the beginning of the text alone.
 */
export interface Element {
  readonly id: string;
  readonly data: unknown;
  /** Attempts that have begun and did not end well. */
  readonly attempts: number;
  /** When it was added, in milliseconds since 1970; undefined where a foreign writer left it out. */
  readonly at: number | undefined;
  /** Since when it may be taken, where that is later: it had been delayed, tried, dead or parked. */
  readonly readyAt: number | undefined;
  readonly maxAttempts: number | undefined;
  /** Its id was chosen by the caller, and is remembered until the job ends. */
  readonly hasOwnId: boolean;
  /** It was delivered again: whether it is settled already has to be looked up. */
  readonly isAgain: boolean;
  readonly group: string | undefined;
  /** On a plain queue: no other job with this key is added until this one has ended. */
  readonly key: string | undefined;
  /** On a transactional queue: its data and its time may have been replaced, and are in its row. */
  readonly isLatest: boolean;
  /** Of a tick. */
  readonly schedule: Tick | undefined;
  /** For how many milliseconds its result is kept; 0 for not at all, undefined where it does not say. */
  readonly keepMs: number | undefined;
  /** How often the job was parked or woken before this element was made: one with fewer than its row is out of date. */
  readonly parks: number;
  /** It is the child of another job, which is given what it returns. */
  readonly isChild: boolean;
  /** On a plain queue: its mark as a child (scripts/family.lua). */
  readonly parent: string | undefined;
  /** On a plain queue: it has children, or had some. */
  readonly isParent: boolean;
  /** On a plain queue: why it is to die instead of being run, as a child of it is dead. */
  readonly dies: string | undefined;
}

export interface NewElement {
  readonly id: string;
  readonly dataJson: string;
  readonly at: number;
  readonly readyAt?: number | undefined;
  readonly attempts?: number;
  readonly maxAttempts?: number | undefined;
  readonly hasOwnId?: boolean;
  readonly isAgain?: boolean;
  readonly priority?: "high" | "low" | undefined;
  readonly group?: string | undefined;
  readonly key?: string | undefined;
  /** On a plain queue: the next add with this key may replace its data and its time. */
  readonly debounce?: string | undefined;
  readonly isLatest?: boolean;
  /** Of a tick, as JSON. */
  readonly schedule?: string | undefined;
  readonly keepMs?: number | undefined;
  readonly parks?: number;
  readonly isChild?: boolean | undefined;
  readonly isParent?: boolean | undefined;
  /** Of whoever added it: runtime/probe.ts. */
  readonly trace?: string | undefined;
}

export function encodeElement(job: NewElement): string {
  const {
    id,
    dataJson,
    at,
    attempts = 0,
    maxAttempts,
    hasOwnId = false,
    isAgain = false,
    priority,
    group,
    key,
    debounce,
    isLatest = false,
    schedule,
    keepMs,
    parks = 0,
    isChild = false,
    isParent = false,
    trace,
    readyAt,
  } = job;
  const head = attempts > 0 ? `{"attempts":${attempts},"id":"${id}"` : `{"id":"${id}"`;
  const options =
    (maxAttempts === undefined ? "" : `,"maxAttempts":${maxAttempts}`) +
    (hasOwnId ? `,"ownId":true` : "") +
    (isAgain ? `,"again":true` : "") +
    (priority === undefined ? "" : `,"priority":"${priority}"`) +
    (group === undefined ? "" : `,"group":"${group}"`) +
    (key === undefined ? "" : `,"key":"${key}"`) +
    (debounce === undefined ? "" : `,"debounce":"${debounce}"`) +
    (isLatest ? `,"latest":true` : "") +
    (schedule === undefined ? "" : `,"schedule":${schedule}`) +
    (keepMs === undefined ? "" : `,"keep":${keepMs}`) +
    (isChild ? `,"child":true` : "") +
    (isParent ? `,"family":true` : "") +
    (trace === undefined ? "" : `,"trace":${traceJson(trace)}`) +
    (readyAt === undefined ? "" : `,"ready":${readyAt}`);
  return `${head},"at":${at}${parks > 0 ? `,"parks":${parks}` : ""}${options},"data":${dataJson}}`;
}

/** The same for a job that has nothing but its data, as most have. */
export function encodeSimple(id: string, dataJson: string, at: number): string {
  return `{"id":"${id}","at":${at},"data":${dataJson}}`;
}

const countInFront = /^\{"attempts":(\d+),/;

/** The element as it is after `attempts` failed attempts: the count in front, everything else as it was. */
export function withAttempts(raw: string, attempts: number): string {
  const match = countInFront.exec(raw);
  const rest = match ? raw.slice(match[0].length) : raw.slice(raw.indexOf("{") + 1).trimStart();
  return `{"attempts":${attempts},${rest}`;
}

/** The element as it was before its first attempt, but for what else is in it. */
export function withoutAttempts(raw: string): string {
  return raw.replace(countInFront, "{");
}

const markPattern = /^\S+ \d+ \S+ \S+$/;
const stub = /^\{(?:"attempts":\d+,)?"cancelled":true,"id":"-"/;

/** It stands for a job that was cancelled deep in a list: see cancel-page.lua. */
export function isStub(raw: string): boolean {
  return stub.test(raw);
}

/** Throws an Error that says what is wrong when the text is no element. */
export function decodeElement(raw: string): Element {
  const value = parseJson(raw);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it is not a JSON object");
  const fields = value as Record<string, unknown>;
  const { id } = fields;
  if (fields["cancelled"] === true && isStub(raw)) throw new Error("its job was cancelled");
  if (typeof id !== "string" && typeof id !== "number") throw new Error('it has no field "id"');
  // oxlint-disable-next-line no-control-regex -- they are what is looked for: PostgreSQL cannot store them all
  if (typeof id === "string" && /[\0-\x1f\x7f]/.test(id)) throw new Error("its id has control characters");
  if (fields["data"] === undefined) throw new Error('it has no field "data"');
  return {
    id: String(id),
    data: fields["data"],
    attempts: readAttempts(raw, fields["attempts"]),
    at: typeof fields["at"] === "number" ? fields["at"] : undefined,
    readyAt: typeof fields["ready"] === "number" ? fields["ready"] : undefined,
    maxAttempts: typeof fields["maxAttempts"] === "number" ? fields["maxAttempts"] : undefined,
    hasOwnId: fields["ownId"] === true,
    isAgain: fields["again"] === true,
    group: typeof fields["group"] === "string" ? fields["group"] : undefined,
    key: typeof fields["key"] === "string" ? fields["key"] : undefined,
    isLatest: fields["latest"] === true,
    schedule: fields["schedule"] === undefined ? undefined : readTick(fields["schedule"]),
    parks: typeof fields["parks"] === "number" ? fields["parks"] : 0,
    isChild: fields["child"] === true || fields["parent"] !== undefined,
    parent: typeof fields["parent"] === "string" && markPattern.test(fields["parent"]) ? fields["parent"] : undefined,
    isParent: fields["family"] === true,
    dies: typeof fields["dies"] === "string" ? fields["dies"] : undefined,
    keepMs: typeof fields["keep"] === "number" && fields["keep"] >= 0 ? Math.ceil(fields["keep"]) : undefined,
  };
}

function readTick(field: unknown): Tick | undefined {
  if (typeof field !== "object" || field === null) return undefined;
  const { name, at } = field as Readonly<Record<string, unknown>>;
  return typeof name === "string" && typeof at === "number" ? { name, at } : undefined;
}

// The count in front was written by a script, which cannot know of a second field of that name further behind.
function readAttempts(raw: string, field: unknown): number {
  if (raw.startsWith('{"attempts":')) {
    const match = countInFront.exec(raw);
    if (match) return Number(match[1]);
  }
  return typeof field === "number" && field >= 0 ? Math.floor(field) : 0;
}

/** What return-held.lua writes behind all other fields: when it was found that a worker is gone which had this element. */
export const goneAtEnd = /,"gone":\[(\d+(?:,\d+)*)\]\}\s*$/;

/** How many workers died that had this element, since an attempt failed otherwise. */
export function deathsOf(raw: string): number {
  const times = goneAtEnd.exec(raw)?.[1];
  return times === undefined ? 0 : times.split(",").length;
}

/** The text by which a script finds the element in a held list: its beginning up to the id if that is how Keyline writes it, else all of it. */
export function beginning(raw: string, element: Element | undefined): string {
  if (element) {
    const plain = `{"id":"${element.id}"`;
    if (raw.startsWith(plain)) return plain;
    const counted = `{"attempts":${element.attempts},"id":"${element.id}"`;
    if (raw.startsWith(counted)) return counted;
  }
  return raw;
}

const traceInFront = /^[^{]*\{[^{[]*?,"trace":"([\w-]*)"/;

/** The trace in an element; of a foreign writer's too, which may have it anywhere. */
export function traceOf(raw: string): string | undefined {
  if (!raw.includes('"trace"')) return undefined;
  const dataAt = raw.indexOf(',"data":');
  const match = traceInFront.exec(dataAt < 0 ? raw : raw.slice(0, dataAt));
  return match?.[1] ?? readTrace((parseJson(raw) as { readonly trace?: unknown }).trace);
}

/** Whether its result is kept, as the element says. */
export function isKept(raw: string): boolean {
  const dataAt = raw.indexOf(',"data":');
  return /,"keep":[1-9]/.test(dataAt < 0 ? raw : raw.slice(0, dataAt));
}

/** What the beginning of an element shows, if Keyline wrote it. */
export interface Head {
  readonly id: string;
  readonly attempts: number;
  readonly at: number | undefined;
  readonly parks: number;
}

export function readHead(head: string): Head | undefined {
  const match = /^\{(?:"attempts":(\d+),)?"id":"([^"\\]+)"(?:,"at":(\d+)(?:,"parks":(\d+))?)?/.exec(head);
  const id = match?.[2];
  if (!match || id === undefined) return undefined;
  const at = match[3] === undefined ? undefined : Number(match[3]);
  return { id, attempts: Number(match[1] ?? 0), at, parks: Number(match[4] ?? 0) };
}

/** The same; undefined for what is none. */
export function elementIn(raw: string): Element | undefined {
  try {
    return decodeElement(raw);
  } catch {
    return undefined;
  }
}
