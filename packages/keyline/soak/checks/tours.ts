import type { Op } from "../history.ts";
import { addsOf, describeLost, repeated, violated, type Evidence, type Violation } from "./evidence.ts";

const places = new Set(["waiting", "scheduled", "running"]);

/** The queue whose jobs go in steps, and are cancelled, signalled and waited for: each step once, and everybody is told the truth. */
export function checkTours({ ops, final }: Evidence): Violation[] {
  const { invoked, ok, failed } = addsOf(ops, "tours.add");
  const parts = new Map(final.tourEffects.map(({ msg, part, value }) => [`${msg} ${part}`, value]));
  const ended = new Set(final.tourEffects.filter(({ part }) => part === "end").map(({ msg }) => msg));
  const cancelled = new Set(final.toursCancelled);
  const gone = new Set([...ended, ...cancelled]);
  const of = (f: Op["f"], types: readonly Op["type"][] = ["ok"]): Op[] => ops.filter((op) => op.f === f && types.includes(op.type));
  const calls = Map.groupBy(of("tours.cancel", ["ok", "info"]), ({ msg = "" }) => msg);
  const name = ({ msg, note }: Op): string => `${msg} ${note}`;
  return [
    ...violated(
      "I1",
      "acknowledged tours have neither come to their end nor been cancelled",
      describeLost(
        [...ok.keys()].filter((msg) => !gone.has(msg)),
        gone,
      ),
    ),
    ...violated("I2", "steps have their effect more than once", repeated(final.tourEffects.map(({ msg, part }) => `${msg} ${part}`))),
    ...violated(
      "I2",
      "tours have come to their end without a step",
      [...ended].filter((msg) => !parts.has(`${msg} out`) || !parts.get(`${msg} end`)?.startsWith(parts.get(`${msg} back`) ?? "?")),
    ),
    ...violated(
      "I2",
      "runs were given another value than that of the effects",
      of("tours.step")
        .filter(({ msg, token, note }) => parts.get(`${msg} ${token}`) !== note)
        .map(name),
    ),
    ...violated(
      "I3",
      "effects of tours that nobody added, or that were told not to be there",
      new Set(final.tourEffects.map(({ msg }) => msg).filter((msg) => !invoked.has(msg) || failed.has(msg))),
    ),
    ...violated(
      "I3",
      "tours are cancelled that nobody has cancelled",
      [...cancelled].filter((msg) => !ops.some((op) => op.f === "tours.cancel" && op.msg === msg)),
    ),
    ...violated("I7", "tours are dead, whose attempts are not used up", final.toursDead),
    ...violated(
      "I4",
      "tours are cancelled, and came to their end all the same",
      [...cancelled].filter((msg) => ended.has(msg)),
    ),
    ...violated(
      "I4",
      "cancels were told what is not true",
      [...calls].flatMap(([msg, own]) => {
        const last = own.at(-1);
        if (last?.type !== "ok") return [];
        // Where a call before it was not answered that one may have done it.
        const isTrue = places.has(last.note ?? "") ? cancelled.has(msg) : ended.has(msg) || own.length > 1;
        return isTrue ? [] : [name(last)];
      }),
    ),
    ...violated(
      "I4",
      "settles were told what is not true",
      [
        ...of("tours.run").filter(({ msg = "" }) => !ended.has(msg)),
        ...cancelledRuns(ops).filter(({ msg = "" }) => !cancelled.has(msg)),
      ].map(name),
    ),
    ...violated(
      "I4",
      "tours were signalled by nobody",
      [...ended].filter((msg) => parts.get(`${msg} end`)?.endsWith("+go") && !ops.some((op) => op.f === "tours.signal" && op.msg === msg)),
    ),
    ...violated(
      "I4",
      "those who waited were told what is not true",
      of("tours.wait")
        .filter(({ msg = "", note }) => (note === "JOB_CANCELLED" ? !cancelled.has(msg) : note !== `value ${parts.get(`${msg} end`)}`))
        .map(name),
    ),
  ];
}

function cancelledRuns(ops: readonly Op[]): Op[] {
  return ops.filter(({ f, type, note }) => f === "tours.run" && type === "fail" && note === "JOB_CANCELLED");
}
