import type { HeldRow } from "../settle/settlement.ts";
import type { Statement } from "../client/statement.ts";
import { separator } from "./job-table.ts";
import type { PlacedJob } from "./placed-rows.ts";

/** What the death of a child does to its parent. */
export type ChildDeath = "die" | "ignore" | "value";

/** A job below another one. There may be very many: what is known of them is given as it is, and not copied. */
interface ChildJob {
  readonly member: { readonly queue: string };
  readonly request: Pick<PlacedJob, "id" | "dataJson" | "maxAttempts" | "keepMs" | "trace"> & {
    readonly isOwnId: boolean;
    readonly placement: Pick<PlacedJob, "delayMs" | "runAt" | "priority" | "group"> | undefined;
  };
  readonly parent: { readonly queue: string; readonly id: string };
  /** Given where it has children itself. */
  readonly death: ChildDeath | undefined;
}

/** The job above all. */
export interface RootJob extends Pick<PlacedJob, "id" | "dataJson" | "maxAttempts" | "priority" | "keepMs" | "trace"> {
  readonly queue: string;
  readonly death: ChildDeath;
}

/** Jobs of one queue that are added together and to be noted as delivered together: all that have no children, between these two ids. */
export interface Span {
  readonly queue: string;
  readonly first: string;
  readonly last: string;
}

export interface NewChildren {
  readonly children: readonly ChildJob[];
  /** Where there are some, deliveries are noted together. */
  readonly spans: readonly Span[];
}

/** A job that its worker holds. */
export interface HeldParent extends HeldRow {
  readonly queue: string;
  readonly parks: number;
}

export interface FamilyCall {
  readonly statement: Statement;
  readonly values: unknown[];
}

const answer = "SELECT answer, taken, orders, added_ms, xid FROM";
const answerOfMany = "SELECT answer, taken, orders, added_ms, xid, deliveries FROM";
const rest = ["integer[]", "float8[]", "float8[]", "text[]", "text[]", "bigint[]", "boolean[]", "text[]", "text[]", "text[]"];
const typed = (types: readonly string[], from: number): string => types.map((type, index) => `$${from + index}::${type}`).join(", ");
const lists = (from: number): string => typed(["text[]", "text[]", "text[]", ...rest], from);
const packed = (from: number): string => typed(["text[]", "text", "text", ...rest], from);

const add: Statement = {
  name: "keyline-add-family",
  text: `${answer} keyline.add_family($1, $2, $3, $4, $5, $6::bigint, $7, ${lists(8)})`,
};
const addTo: Statement = { name: "keyline-add-to-family", text: `${answer} keyline.add_to_family($1, $2, $3, $4, $5, ${lists(6)})` };
/** The same of jobs that have a trace: that of the call, for all of them. */
const addTraced: Statement = { name: "keyline-add-family-traced", text: add.text.replace(/\)$/, ", $21)") };
const addToTraced: Statement = { name: "keyline-add-to-family-traced", text: addTo.text.replace(/\)$/, ", $19)") };

/** The same of many jobs, whose deliveries are noted together. */
const addMany: Statement = {
  name: "keyline-add-packed-family",
  text: `${answerOfMany} keyline.add_packed_family($1, $2, $3, $4, $5, $6::bigint, $7, ${packed(8)}, $21, $22::json)`,
};
const addManyTo: Statement = {
  name: "keyline-add-packed-to-family",
  text: `${answerOfMany} keyline.add_packed_to_family($1, $2, $3, $4, $5, ${packed(6)}, $19, $20::json)`,
};

/** What adds a parent and everything below it. */
export function addCall(root: RootJob, below: NewChildren): FamilyCall {
  const { queue, id, dataJson, maxAttempts, priority, keepMs, death, trace } = root;
  const values = [queue, id, dataJson, maxAttempts ?? null, priority ?? null, keepMs ?? null, death];
  return call(values, below, { plain: add, traced: addTraced, many: addMany, trace });
}

/** What adds children below a job that its worker holds. */
export function addToCall({ queue, id, attempts, parks }: HeldParent, death: ChildDeath | undefined, below: NewChildren): FamilyCall {
  const trace = below.children[0]?.request.trace;
  return call([queue, id, attempts, parks, death ?? null], below, { plain: addTo, traced: addToTraced, many: addManyTo, trace });
}

function call(
  head: readonly unknown[],
  { children, spans }: NewChildren,
  how: { readonly plain: Statement; readonly traced: Statement; readonly many: Statement; readonly trace: string | undefined },
): FamilyCall {
  const { plain, traced, many, trace } = how;
  if (spans.length > 0) {
    return {
      statement: many,
      values: [...head, ...packedOf(children), ...restOf(children, oneForAll), trace ?? null, JSON.stringify(spans)],
    };
  }
  const values = [...head, ...listsOf(children), ...restOf(children, (texts) => texts)];
  return trace === undefined ? { statement: plain, values } : { statement: traced, values: [...values, trace] };
}

function listsOf(jobs: readonly ChildJob[]): unknown[] {
  return [jobs.map(({ member }) => member.queue), jobs.map(({ request }) => request.id), jobs.map(({ request }) => request.dataJson)];
}

/** Neither ids nor JSON have a separator in them. */
function packedOf(jobs: readonly ChildJob[]): unknown[] {
  return [
    oneForAll(jobs.map(({ member }) => member.queue)),
    jobs.map(({ request }) => request.id).join(separator),
    jobs.map(({ request }) => request.dataJson).join(separator),
  ];
}

function restOf(jobs: readonly ChildJob[], spread: (texts: readonly string[]) => readonly string[]): unknown[] {
  return [
    listOf(jobs, ({ request }) => request.maxAttempts),
    listOf(jobs, ({ request }) => request.placement?.delayMs),
    listOf(jobs, ({ request }) => request.placement?.runAt),
    listOf(jobs, ({ request }) => request.placement?.priority),
    listOf(jobs, ({ request }) => request.placement?.group),
    listOf(jobs, ({ request }) => request.keepMs),
    listOf(jobs, ({ request }) => request.isOwnId || undefined),
    spread(jobs.map(({ parent }) => parent.queue)),
    spread(jobs.map(({ parent }) => parent.id)),
    listOf(jobs, ({ death }) => death),
  ];
}

/** One that stands for all where they are alike: keyline.spread. */
function oneForAll(texts: readonly string[]): readonly string[] {
  const [first] = texts;
  return first !== undefined && texts.every((text) => text === first) ? [first] : texts;
}

/** Null where none has it, which is a list as long as the others for PostgreSQL, and is neither written nor read. */
function listOf<Value>(jobs: readonly ChildJob[], valueOf: (job: ChildJob) => Value | undefined): (Value | null)[] | null {
  return jobs.some((job) => valueOf(job) !== undefined) ? jobs.map((job) => valueOf(job) ?? null) : null;
}
