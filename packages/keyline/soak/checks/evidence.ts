import type { Forgotten, Struck } from "../faults.ts";
import type { FinalReading } from "../final-reading.ts";
import type { Op } from "../history.ts";

/** All that a run left behind. */
export interface Evidence {
  readonly ops: readonly Op[];
  readonly final: FinalReading;
  readonly struck: readonly Struck[];
  readonly forgotten: readonly Forgotten[];
  /** When the first fault struck, and when everything was whole again: milliseconds since 1970. */
  readonly faultsFrom: number;
  readonly healedAt: number;
}

/** Something that must not be, and examples of it. */
export interface Violation {
  /** The invariant, I1 to I10, or `calm`. */
  readonly rule: string;
  readonly what: string;
  readonly examples: readonly string[];
}

/** A violation where there are `examples`, nothing where there are none. */
export function violated(rule: string, what: string, examples: Iterable<string>): Violation[] {
  const all = [...examples];
  return all.length > 0 ? [{ rule, what: `${all.length} ${what}`, examples: all.slice(0, 5) }] : [];
}

/** How each message was added, by what its producer knows. */
export interface Adds {
  readonly invoked: ReadonlyMap<string, Op>;
  readonly ok: ReadonlyMap<string, Op>;
  readonly failed: ReadonlyMap<string, Op>;
}

export function addsOf(ops: readonly Op[], f: Op["f"]): Adds {
  const of = (type: Op["type"]): Map<string, Op> =>
    new Map(ops.flatMap((op) => (op.f === f && op.type === type && op.msg !== undefined ? [[op.msg, op] as const] : [])));
  return { invoked: of("invoke"), ok: of("ok"), failed: of("fail") };
}

/** Whether Valkey may have forgotten what was acknowledged so. */
export function mayBeForgotten(forgotten: readonly Forgotten[], invoked: Op | undefined, ok: Op | undefined): boolean {
  return forgotten.some(({ from, to }) => (ok?.wall ?? 0) >= from && (invoked?.wall ?? Infinity) <= to);
}

/** A message's producer thread, which does one thing after the other, and its number there. */
export function placeOf(msg: string): { readonly thread: string; readonly n: number } {
  const cut = msg.lastIndexOf("-");
  return { thread: msg.slice(0, cut), n: Number(msg.slice(cut + 1)) };
}

/**
 * Lost messages, told apart by where they are among those of their thread that came out: what is lost behind the last that came may have been slow,
 * what is lost between two that came was not.
 */
export function describeLost(lost: readonly string[], came: ReadonlySet<string>): string[] {
  const bounds = new Map<string, { first: number; last: number }>();
  for (const msg of came) {
    const { thread, n } = placeOf(msg);
    const bound = bounds.get(thread);
    bounds.set(thread, { first: Math.min(bound?.first ?? n, n), last: Math.max(bound?.last ?? n, n) });
  }
  return lost.map((msg) => {
    const { thread, n } = placeOf(msg);
    const bound = bounds.get(thread);
    const where = !bound || n < bound.first ? "prefix" : n > bound.last ? "postfix" : "middle";
    return `${msg} (${where})`;
  });
}

/** Those that are there more than once. */
export function repeated(items: readonly string[]): string[] {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const item of items) (seen.has(item) ? again : seen).add(item);
  return [...again];
}
