import type { Op } from "../history.ts";
import { mayBeForgotten, placeOf, violated, type Adds, type Evidence, type Violation } from "./evidence.ts";

/** What whoever has one place among the subscribers was given and told, in its order, through all processes that had it. */
export function readersOf(ops: readonly Op[], f: Op["f"]): Map<string, Op[]> {
  return Map.groupBy(
    ops.filter((op) => op.f === f),
    ({ proc }) => proc.slice(0, proc.indexOf(".")),
  );
}

export const isGap = ({ type }: Op): boolean => type === "info";

/**
 * One reader of a log in which messages of a thread follow each other: nothing twice, nothing out of order, and no acknowledged message is missing between two
 * of its thread unless a gap was announced between them. Behind a gap a reader may be given what it had: Valkey came back with an older memory.
 */
export function checkReader(
  { reader, told, adds }: { readonly reader: string; readonly told: readonly Op[]; readonly adds: Adds },
  { forgotten, rule }: { readonly forgotten: Evidence["forgotten"]; readonly rule: "I8" | "I9" },
): Violation[] {
  const given = told.flatMap((op) => (isGap(op) ? [] : [op.msg ?? ""]));
  const acknowledged = Map.groupBy(adds.ok.keys(), (msg) => placeOf(msg).thread);
  const missing = new Map([...acknowledged].map(([thread, msgs]) => [thread, withoutAll(msgs, new Set(given))]));
  const farthest = new Map<string, { n: number; gaps: number }>();
  const latest = new Map<string, number>();
  const twice: string[] = [];
  const disorder: string[] = [];
  const holes: string[] = [];
  let gaps = 0;
  for (const op of told) {
    if (isGap(op)) {
      gaps++;
      latest.clear();
      continue;
    }
    const { thread, n } = placeOf(op.msg ?? "");
    const before = latest.get(thread) ?? -1;
    if (n === before) twice.push(op.msg ?? "");
    else if (n < before) disorder.push(`${op.msg} after ${before}`);
    latest.set(thread, Math.max(n, before));
    const front = farthest.get(thread) ?? { n: -1, gaps: 0 };
    if (n <= front.n) continue;
    if (gaps === front.gaps) holes.push(...(missing.get(thread) ?? []).filter((msg) => isBetween(placeOf(msg).n, front.n, n)));
    farthest.set(thread, { n, gaps });
  }
  const unexplained = holes.filter((msg) => !isExplained(msg, { adds, forgotten, rule }));
  return [
    ...violated(rule, `messages came to ${reader} twice`, twice),
    ...violated(rule, `messages came to ${reader} out of their order`, disorder),
    ...violated(rule, `acknowledged messages never came to ${reader}, between others that did and without a gap`, unexplained),
    ...violated(
      "I3",
      `messages came to ${reader} that nobody sent`,
      given.filter((msg) => !adds.invoked.has(msg)),
    ),
    ...violated(
      "I3",
      `messages came to ${reader} whose sender was told that they are not sent`,
      given.filter((msg) => adds.failed.has(msg)),
    ),
  ];
}

function withoutAll(msgs: readonly string[], others: ReadonlySet<string>): string[] {
  return msgs.filter((msg) => !others.has(msg));
}

function isBetween(n: number, low: number, high: number): boolean {
  return n > low && n < high;
}

/** A stream does not tell runs of a server apart: of what its last moments took, only those know who had read it. */
function isExplained(
  msg: string,
  { adds, forgotten, rule }: { readonly adds: Adds; readonly forgotten: Evidence["forgotten"]; readonly rule: "I8" | "I9" },
): boolean {
  if (rule === "I8") return false;
  const tails = forgotten.filter(({ isTail }) => isTail);
  return mayBeForgotten(tails, adds.invoked.get(msg), adds.ok.get(msg));
}
