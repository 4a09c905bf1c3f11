import fc from "fast-check";
import { traits, type ScriptName } from "./scripts.ts";

export type Fault = "kill" | "flush" | "failover" | "restart";

/** `of` chooses a job among those that are there, the newest with 0. */
export type Op =
  | { readonly kind: "add"; readonly script: ScriptName; readonly delay: number; readonly group: string | undefined }
  /** `nested` are the children of a child. */
  | {
      readonly kind: "family";
      readonly onChildDead: "die" | "value";
      readonly children: readonly ScriptName[];
      readonly nested: readonly ScriptName[];
    }
  | { readonly kind: "cancel" | "wait" | "signal"; readonly of: number }
  /** Of its data always, and of what is given. */
  | { readonly kind: "update"; readonly of: number; readonly delay: number | undefined; readonly priority: "high" | "low" | undefined }
  | { readonly kind: "promote"; readonly of: number }
  | { readonly kind: "cancelMany"; readonly of: readonly number[] }
  /** Of the letter of a job that may have died, which `of` chooses among these. */
  | { readonly kind: "redrive" | "discard"; readonly of: number }
  | { readonly kind: "redriveAll" }
  | { readonly kind: "limitGroups"; readonly concurrency: number }
  | { readonly kind: "rest"; readonly ms: number }
  | { readonly kind: Fault };

/** So long that no job is due within a test, unless somebody says so. */
export const farAway = 3_600_000;

/** How many jobs an `add` adds. */
export const copies = 4;

/** How many operations a life has, its faults among them. */
const fewest = 40;
const most = 60;
/** So many go before the first fault: it is to strike something. */
const quiet = 5;

/** Operations on a queue of one kind, with each of these faults among them once. */
export function lives({
  transactional,
  faults,
}: {
  readonly transactional: boolean;
  readonly faults: readonly Fault[];
}): fc.Arbitrary<Op[]> {
  const names = (Object.keys(traits) as ScriptName[]).filter((name) => !traits[name].isParent && (transactional || traits[name].onPlain));
  // What becomes of a child is told once, and would change with its letter.
  const children = fc.array(fc.constantFrom(...names.filter((name) => !traits[name].isMortal)), { minLength: 1, maxLength: 4 });
  const of = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 7 }) }, { weight: 1, arbitrary: fc.nat(60) });
  const op = fc.oneof<fc.WeightedArbitrary<Op>[]>(
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant("add"),
        script: fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: fc.constant("mortal" as const) }),
        delay: fc.oneof(
          { weight: 4, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: 1, max: 500 }) },
          { weight: 1, arbitrary: fc.constant(farAway) },
        ),
        group: fc.constantFrom(undefined, undefined, "a", "b"),
      }),
    },
    {
      weight: transactional ? 4 : 0,
      arbitrary: fc.record({
        kind: fc.constant("family"),
        onChildDead: fc.constantFrom("die", "value"),
        children,
        nested: fc.oneof(fc.constant([]), children),
      }),
    },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("cancel"), of }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("update"),
        of,
        delay: fc.option(fc.oneof(fc.constant(0), fc.integer({ min: 50, max: 500 })), { nil: undefined }),
        priority: fc.option(fc.constantFrom("high", "low"), { nil: undefined }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("promote"), of }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancelMany"), of: fc.array(of, { minLength: 2, maxLength: 6 }) }) },
    { weight: 12, arbitrary: fc.record({ kind: fc.constantFrom("redrive", "redrive", "discard"), of }) },
    { weight: 1, arbitrary: fc.constant({ kind: "redriveAll" }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("limitGroups"), concurrency: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("wait"), of }) },
    { weight: transactional ? 5 : 0, arbitrary: fc.record({ kind: fc.constant("signal"), of }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("rest"), ms: fc.integer({ min: 5, max: 300 }) }) },
  );
  const peaceful = fc.array(op, { minLength: fewest - faults.length, maxLength: most - faults.length });
  const places = fc.tuple(...faults.map(() => fc.double({ min: 0, max: 1, noNaN: true })));
  return fc.tuple(peaceful, fc.shuffledSubarray([...faults], { minLength: faults.length }), places).map(withFaults);
}

function withFaults([ops, faults, places]: [Op[], Fault[], number[]]): Op[] {
  const all = [...ops];
  faults.forEach((kind, index) => {
    all.splice(quiet + Math.floor((places[index] ?? 0) * (all.length - quiet)), 0, { kind });
  });
  return all;
}
