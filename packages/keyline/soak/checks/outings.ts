import type { Op } from "../history.ts";
import { addsOf, describeLost, mayBeForgotten, violated, type Evidence, type Violation } from "./evidence.ts";

/** The plain queue whose jobs wait for their children: all of a family comes to its end, as far as Valkey remembers it, and a parent runs behind its children and is told what they came to. */
export function checkOutings({ ops, final, forgotten }: Evidence): Violation[] {
  const { invoked, ok, failed } = addsOf(ops, "outings.add");
  const parents = ops.filter(({ f, type }) => f === "outings.run" && type === "ok");
  const ended = new Set(parents.map(({ msg = "" }) => msg));
  const begun = ops.flatMap(({ f, msg = "" }) => (f === "outings.run" ? [msg] : f === "stops.run" ? [outingOf(msg)] : []));
  const stops = firstEnds(ops);
  const lost = [...ok.keys()].filter((msg) => !ended.has(msg) && !mayBeForgotten(forgotten, invoked.get(msg), ok.get(msg)));
  return [
    ...violated("I1", "acknowledged outings have not come to their end", describeLost(lost, ended)),
    ...violated(
      "I3",
      "jobs of outings ran that nobody added, or of which nothing had been sent",
      new Set(begun.filter((msg) => !invoked.has(msg) || failed.has(msg))),
    ),
    ...violated(
      "I4",
      "parents of outings have run before their children had ended, or were told something else than these came to",
      parents.flatMap((parent) => (isRight(parent, stops) ? [] : [`${parent.msg} was told ${parent.note}`])),
    ),
    ...violated("I7", "jobs of outings are dead, whose attempts are not used up", final.outingsDead),
  ];
}

/** When each child had first come to its end. */
function firstEnds(ops: readonly Op[]): Map<string, number> {
  const ends = new Map<string, number>();
  for (const { f, type, msg = "", mono } of ops)
    if (f === "stops.run" && type === "ok") ends.set(msg, Math.min(mono, ends.get(msg) ?? mono));
  return ends;
}

function isRight({ msg = "", note = "{}", mono }: Op, stops: ReadonlyMap<string, number>): boolean {
  const { legs = 0, told = [] } = JSON.parse(note) as { readonly legs?: number; readonly told?: readonly string[] };
  const due = Array.from({ length: legs }, (_, leg) => `${msg} ${leg}`);
  return JSON.stringify(told) === JSON.stringify(due) && due.every((stop) => (stops.get(stop) ?? Number.POSITIVE_INFINITY) < mono);
}

function outingOf(stop: string): string {
  return stop.slice(0, stop.lastIndexOf(" "));
}
