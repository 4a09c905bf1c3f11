import { addsOf, describeLost, repeated, violated, type Evidence, type Violation } from "./evidence.ts";

/** The queue whose jobs wait for their children: all of a family comes to its end, each of it once, and a parent is told what its children have committed. */
export function checkTrips({ ops, final }: Evidence): Violation[] {
  const { invoked, ok, failed } = addsOf(ops, "trips.add");
  const { legEffects, tripEffects } = final;
  const ended = new Set(tripEffects.map(({ msg }) => msg));
  const legs = Map.groupBy(legEffects, ({ msg }) => msg);
  const settledRuns = ops.filter(({ f, type }) => (f === "trips.run" || f === "legs.run") && type === "ok");
  const effects = new Set([...ended, ...legEffects.map(({ msg, leg }) => `${msg} ${leg}`)]);
  return [
    ...violated(
      "I1",
      "acknowledged trips have not come to their end",
      describeLost(
        [...ok.keys()].filter((msg) => !ended.has(msg)),
        ended,
      ),
    ),
    ...violated("I2", "trips, or children of theirs, have their effect more than once", [
      ...repeated(tripEffects.map(({ msg }) => msg)),
      ...repeated(legEffects.map(({ msg, leg }) => `${msg} ${leg}`)),
    ]),
    ...violated(
      "I3",
      "effects of families that nobody added, or that were told not to be there",
      new Set([...ended, ...legs.keys()].filter((msg) => !invoked.has(msg) || failed.has(msg))),
    ),
    ...violated(
      "I4",
      "parents have run before their children had ended, or were told something else than these had committed",
      tripEffects
        .filter(
          ({ msg, legs: count, told }) =>
            told.length !== count ||
            !areSame(
              told,
              (legs.get(msg) ?? []).map(({ value }) => value),
            ),
        )
        .map(({ msg, legs: count, told }) => `${msg} with ${count} children was told ${told.join(", ")}`),
    ),
    ...violated(
      "I4",
      "settles in families were told what is not true",
      settledRuns.flatMap(({ msg = "" }) => (effects.has(msg) ? [] : [msg])),
    ),
    ...violated("I7", "jobs of families are dead, whose attempts are not used up", final.tripsDead),
  ];
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify(one.toSorted()) === JSON.stringify(other.toSorted());
}
