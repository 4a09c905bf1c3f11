import { addsOf, violated, type Evidence, type Violation } from "./evidence.ts";
import { checkReader, isGap, readersOf } from "./readers.ts";

/** The channel with history: each subscriber gets everything once and in order, or is told that something is missing, where it is missing. */
export function checkNews({ ops, final, forgotten }: Evidence): Violation[] {
  const adds = addsOf(ops, "news.publish");
  // What was published within transactions goes out when somebody sees the commit: of two of one thread the second may be first.
  const isWithin = (msg: string | undefined): boolean => adds.invoked.get(msg ?? "")?.kind === "tx";
  const within = { ...adds, ok: new Map([...adds.ok].filter(([msg]) => !isWithin(msg))) };
  const violations: Violation[] = [];
  for (const [reader, told] of readersOf(ops, "news.receive")) {
    const direct = told.filter((op) => isGap(op) || !isWithin(op.msg));
    violations.push(...checkReader({ reader, told: direct, adds: within }, { forgotten, rule: "I8" }));
    const given = told.filter((op) => !isGap(op)).map(({ msg = "" }) => msg);
    const got = new Set(given);
    const lastGap = told.findLast(isGap)?.wall ?? 0;
    const lost = [...adds.ok].filter(([msg, { wall }]) => !got.has(msg) && wall - 1_000 > lastGap).map(([msg]) => msg);
    violations.push(
      ...violated("I8", `messages came to ${reader} twice`, repeatedWithoutLoss(told)),
      ...violated("I8", `messages came to ${reader} out of the order in which they are kept`, late(told, final.kept)),
      ...violated(
        "I8",
        `messages that are kept never came to ${reader}`,
        final.kept.filter((msg) => !got.has(msg)),
      ),
      ...violated("I8", `acknowledged messages never came to ${reader}, and no gap was announced after them`, lost),
    );
  }
  return violations;
}

/**
 * A message that was published from a row, and whose row was not deleted before Valkey lost its memory, is published again: then the loss was announced
 * between the two.
 */
function repeatedWithoutLoss(told: Evidence["ops"]): string[] {
  const seen = new Map<string, number>();
  const again: string[] = [];
  let gaps = 0;
  for (const op of told) {
    if (isGap(op)) gaps++;
    else {
      if (seen.get(op.msg ?? "") === gaps) again.push(op.msg ?? "");
      seen.set(op.msg ?? "", gaps);
    }
  }
  return again;
}

function late(told: Evidence["ops"], kept: readonly string[]): string[] {
  const places = new Map(kept.map((msg, place) => [msg, place]));
  let latest = -1;
  return told.flatMap((op) => {
    if (isGap(op)) latest = -1;
    const place = places.get(op.msg ?? "") ?? latest;
    const isLate = place < latest;
    latest = Math.max(latest, place);
    return isLate ? [op.msg ?? ""] : [];
  });
}
