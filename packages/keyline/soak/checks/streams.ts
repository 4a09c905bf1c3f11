import { addsOf, describeLost, mayBeForgotten, repeated, violated, type Evidence, type Violation } from "./evidence.ts";
import { checkReader, isGap, readersOf } from "./readers.ts";

/** The transactional stream: the record is what was committed, and everything that is made of it is the record. */
export function checkEvents({ ops, final }: Evidence): Violation[] {
  const { invoked, ok, failed } = addsOf(ops, "events.append");
  const record = final.record.map(({ id }) => id);
  const msgs = final.record.map(({ msg }) => msg);
  const written = new Set(msgs);
  const violations = [
    ...violated(
      "I1",
      "acknowledged events are not in the record",
      describeLost(
        [...ok.keys()].filter((msg) => !written.has(msg)),
        written,
      ),
    ),
    ...violated("I2", "events are in the record more than once", repeated(msgs)),
    ...violated(
      "I3",
      "events in the record that nobody appended",
      msgs.filter((msg) => !invoked.has(msg)),
    ),
    ...violated(
      "I3",
      "events in the record that were rolled back",
      msgs.filter((msg) => failed.has(msg)),
    ),
    ...violated("I2", "entries took effect more than once", repeated(final.eventEffects.map(({ entry }) => entry))),
    ...violated("I1", "entries never took effect", differing(record.toSorted(), final.eventEffects.map(({ entry }) => entry).toSorted())),
    ...violated("I9", "entries are not where the record has them in the projection", differing(record, final.mirror)),
    ...violated(
      "I9",
      "entries of the hot window are not the end of the record",
      differing(record.slice(-final.hot.length || Infinity), final.hot),
    ),
  ];
  for (const [key, entries] of Map.groupBy(final.record, (entry) => entry.key)) {
    const effects = final.eventEffects.filter((effect) => effect.key === key).map(({ entry }) => entry);
    violations.push(
      ...violated(
        "I9",
        `effects of ${key} are not in the order of the record`,
        differing(
          entries.map(({ id }) => id),
          effects,
        ),
      ),
    );
  }
  for (const [reader, told] of readersOf(ops, "events.follow")) {
    const given = told.filter((op) => !isGap(op)).map(({ token = "" }) => token);
    violations.push(
      ...violated("I9", `entries came to ${reader} that are not the record`, differing(record, given)),
      ...violated(
        "I9",
        `gaps were announced to ${reader}, though the record has none`,
        told.filter(isGap).map(({ note = "" }) => note),
      ),
    );
  }
  return violations;
}

/** The plain stream: as durable as Valkey is; readers are told what it lost of what they could have read. */
export function checkReadings({ ops, final, forgotten }: Evidence): Violation[] {
  const adds = addsOf(ops, "readings.append");
  const handled = new Set(ops.filter(({ f }) => f === "readings.handle").map(({ msg = "" }) => msg));
  const isForgettable = (msg: string): boolean => mayBeForgotten(forgotten, adds.invoked.get(msg), adds.ok.get(msg));
  const kept = new Set(final.readings.map(({ msg }) => msg));
  const unhandled = [...adds.ok.keys()].filter((msg) => !handled.has(msg) && !isForgettable(msg));
  const violations = [
    ...violated(
      "I1",
      "acknowledged readings are not there",
      [...adds.ok.keys()].filter((msg) => !kept.has(msg) && !isForgettable(msg)),
    ),
    ...violated("I1", "acknowledged readings were never handled", describeLost(unhandled, handled)),
    ...violated(
      "I1",
      "readings that are kept were never handled",
      [...kept].filter((msg) => !handled.has(msg)),
    ),
    ...violated(
      "I2",
      "readings are there more than once",
      repeated(final.readings.map(({ msg }) => msg).filter((msg) => !isForgettable(msg))),
    ),
    ...violated(
      "I3",
      "readings that nobody appended",
      [...kept].filter((msg) => !adds.invoked.has(msg)),
    ),
  ];
  for (const [reader, told] of readersOf(ops, "readings.follow")) {
    const got = new Set(told.map(({ msg }) => msg));
    violations.push(
      ...checkReader({ reader, told: appendedOnce(told), adds }, { forgotten, rule: "I9" }),
      ...violated(
        "I9",
        `readings that are kept never came to ${reader}`,
        [...kept].filter((msg) => !got.has(msg)),
      ),
    );
  }
  return violations;
}

/** Without the second of two that an append and its repetition came to, where the server had forgotten the first. */
function appendedOnce(told: Evidence["ops"]): Evidence["ops"] {
  const ids = new Map<string, string>();
  return told.filter(({ msg, token }) => {
    if (msg === undefined || token === undefined) return true;
    const known = ids.get(msg);
    if (known === undefined) ids.set(msg, token);
    return known === undefined || known === token;
  });
}

/** The first place at which two lists are not the same, in words. */
function differing(expected: readonly string[], found: readonly string[]): string[] {
  const at = expected.findIndex((item, index) => item !== found[index]);
  if (at < 0 && found.length === expected.length) return [];
  const place = at < 0 ? expected.length : at;
  return [
    `at place ${place} of ${expected.length} stands ${found[place] ?? "nothing"} for ${expected[place] ?? "nothing"} (${found.length} are there)`,
  ];
}
