import type { Op } from "../history.ts";
import { addsOf, describeLost, mayBeForgotten, violated, type Evidence, type Violation } from "./evidence.ts";

/** The plain queue: as durable as Valkey is, at least once, and each attempt once. */
export function checkMails({ ops, final, forgotten }: Evidence): Violation[] {
  const { invoked, ok, failed } = addsOf(ops, "mails.add");
  const runs = ops.filter(({ f }) => f === "mails.run");
  const begun = new Set(runs.map(({ msg = "" }) => msg));
  const ended = new Set([...runs.filter(({ type }) => type === "ok").map(({ msg = "" }) => msg), ...final.mailsDead]);
  const lost = [...ok.keys()].filter((msg) => !ended.has(msg) && !mayBeForgotten(forgotten, invoked.get(msg), ok.get(msg)));
  return [
    ...violated("I1", "acknowledged mails never ran to their end", describeLost(lost, ended)),
    ...violated(
      "I3",
      "mails ran that nobody added",
      [...begun].filter((msg) => !invoked.has(msg)),
    ),
    ...violated(
      "I3",
      "mails ran of which nothing had been sent",
      [...failed.keys()].filter((msg) => begun.has(msg)),
    ),
    ...violated("I7", "attempts of mails began twice", begunTwice(runs, forgotten)),
  ];
}

/** A server that forgot something may hand out once more what it had handed out. */
function begunTwice(runs: readonly Op[], forgotten: Evidence["forgotten"]): string[] {
  const firsts = new Map<string, Op>();
  const twice: string[] = [];
  for (const op of runs) {
    if (op.type !== "invoke") continue;
    const key = `${op.msg} attempt ${op.attempt}`;
    const first = firsts.get(key);
    if (!first) firsts.set(key, op);
    else if (!forgotten.some(({ from, to }) => op.wall >= from && first.wall <= to)) twice.push(`${key} by ${first.proc} and ${op.proc}`);
  }
  return twice;
}
