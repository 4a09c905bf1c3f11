import { deadlyAttempts } from "../site.ts";
import { addsOf, describeLost, repeated, violated, type Evidence, type Violation } from "./evidence.ts";

/** An attempt that was overtaken so long before its effects were written cannot have been told of it too late. */
const overtakenMs = 1_000;
/** What a fault of these kinds leaves behind has passed by then. */
const aftermathMs = 5_000;

/** The transactional queue: nothing lost, every effect once, nothing that was never added. */
export function checkOrders({ ops, final, struck }: Evidence): Violation[] {
  const { invoked, ok, failed } = addsOf(ops, "orders.add");
  const effects = new Set(final.effects.map(({ msg }) => msg));
  const dead = new Map(final.ordersDead.map(({ msg, attempts }) => [msg, attempts]));
  const ended = new Set([...effects, ...dead.keys()]);
  const attempts = new Map<string, { attempt: number; wall: number }[]>();
  for (const { f, type, msg = "", attempt = 0, wall } of ops) {
    if (f !== "orders.run" || type !== "invoke") continue;
    const known = attempts.get(msg);
    if (known) known.push({ attempt, wall });
    else attempts.set(msg, [{ attempt, wall }]);
  }
  const lost = (msgs: Iterable<string>): string[] =>
    describeLost(
      [...msgs].filter((msg) => !ended.has(msg)),
      ended,
    );
  const isCalm = (at: number): boolean => !struck.some(({ kind, from, to }) => kind !== "stop" && at >= from && at <= to + aftermathMs);
  const overtaken = final.effects.filter(
    ({ msg, attempt, at }) =>
      isCalm(at) && (attempts.get(msg) ?? []).some((other) => other.attempt > attempt && other.wall < at - overtakenMs),
  );
  const kindOf = (msg: string): string => invoked.get(msg)?.kind ?? "";
  const isDeadly = (msg: string): boolean => kindOf(msg) === "poison" || kindOf(msg) === "killer";
  return [
    ...violated("I1", "acknowledged orders have neither an effect nor a dead letter", lost(ok.keys())),
    ...violated("I1", "orders whose transaction committed have neither", lost(final.orders)),
    ...violated("I2", "orders have their effect more than once", repeated(final.effects.map(({ msg }) => msg))),
    ...violated(
      "I2",
      "accounts are not what their transfers come to",
      final.accounts.filter(({ total, transfers }) => total !== transfers).map(({ total, transfers }) => `${total} for ${transfers}`),
    ),
    ...violated(
      "I3",
      "effects of orders that nobody added",
      [...ended].filter((msg) => !invoked.has(msg)),
    ),
    ...violated(
      "I3",
      "orders that were rolled back took effect",
      [...failed.keys()].filter((msg) => ended.has(msg)),
    ),
    ...violated(
      "I3",
      "rows of orders whose transaction was told to have failed",
      final.orders.filter((msg) => failed.has(msg)),
    ),
    ...violated(
      "I3",
      "effects of attempts that never began",
      final.effects.filter(({ msg, attempt }) => !attempts.get(msg)?.some((one) => one.attempt === attempt)).map(({ msg }) => msg),
    ),
    ...violated(
      "I4",
      "effects were written by an attempt that had been overtaken",
      overtaken.map(({ msg, attempt, proc }) => `${msg} attempt ${attempt} by ${proc}`),
    ),
    ...violated(
      "I4",
      "orders are dead and have an effect",
      [...dead.keys()].filter((msg) => effects.has(msg)),
    ),
    ...violated(
      "I7",
      "attempts beyond the last",
      [...attempts].filter(([msg, begun]) => isDeadly(msg) && begun.some(({ attempt }) => attempt > deadlyAttempts)).map(([msg]) => msg),
    ),
    ...violated(
      "I7",
      "orders are dead whose attempts are not used up",
      // A delivery to a worker that died counts, also where its handler had not begun: so there may be more.
      [...dead].filter(([msg, count]) => !isDeadly(msg) || count < deadlyAttempts).map(([msg, count]) => `${msg} after ${count}`),
    ),
    ...violated("I7", "orders that can only fail took effect", [...effects].filter(isDeadly)),
  ];
}
