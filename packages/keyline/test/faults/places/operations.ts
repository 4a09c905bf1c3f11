import fc from "fast-check";
import type { AddOptions } from "keyline";

export type Fault = "kill" | "flush" | "restart";
export type ScheduleName = keyof typeof specs;

export type Op =
  | {
      readonly kind: "add";
      readonly group: string | undefined;
      readonly delay: number;
      readonly priority: AddOptions["priority"];
      readonly how: "one by one" | "together" | "within" | "rolled back";
    }
  | { readonly kind: "once"; readonly key: string; readonly delay: number; readonly keep: "window" | "open" | "latest" }
  | { readonly kind: "limit"; readonly concurrency: number | null; readonly max: number | null; readonly ofGroup: number | null }
  | { readonly kind: "pause" | "resume"; readonly group: string | undefined }
  | { readonly kind: "schedule" | "unschedule"; readonly schedule: ScheduleName }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: Fault };

export const groupNames = ["a", "b", "c", "d"];

/** Milliseconds of the window of a rate. */
export const per = 200;

/** What a schedule is declared with: always the same, as processes do at their start. */
export const specs = {
  quick: { every: 120, limit: 12, step: 120 },
  second: { cron: "* * * * * *", limit: 3, step: 1_000 },
  endless: { every: 100, limit: undefined, step: 100 },
} as const;

const group = fc.option(fc.constantFrom(...groupNames), { nil: undefined });
const add = fc.record({
  kind: fc.constant("add" as const),
  group,
  delay: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }) }),
  priority: fc.constantFrom("high" as const, "normal" as const, "low" as const),
  how: fc.constantFrom("one by one" as const, "one by one" as const, "together" as const, "within" as const, "rolled back" as const),
});
const once = fc.record({
  kind: fc.constant("once" as const),
  key: fc.constantFrom("k", "l", "m"),
  delay: fc.constantFrom(0, 200),
  keep: fc.constantFrom("window" as const, "open" as const, "latest" as const),
});
const limit = fc.record({
  kind: fc.constant("limit" as const),
  concurrency: fc.option(fc.integer({ min: 2, max: 8 })),
  max: fc.option(fc.integer({ min: 5, max: 30 })),
  ofGroup: fc.option(fc.integer({ min: 2, max: 6 })),
});
const pause = fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const), group });
const scheduleName = fc.constantFrom("quick" as const, "second" as const, "endless" as const);
const schedule = fc.record({ kind: fc.constant("schedule" as const), schedule: scheduleName });
const unschedule = fc.constant({ kind: "unschedule" as const, schedule: "endless" as const });
const wait = fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 20, max: 400 }) });

/** Operations with these faults among them. They begin with what every life has: schedules, a limit, and jobs for it. */
export function lives(faults: readonly Fault[]): fc.Arbitrary<Op[]> {
  const fault = fc.record({ kind: fc.constantFrom(...faults) });
  const op = fc.oneof<fc.WeightedArbitrary<Op>[]>(
    { weight: 12, arbitrary: add },
    { weight: 5, arbitrary: once },
    { weight: 2, arbitrary: limit },
    { weight: 2, arbitrary: pause },
    { weight: 2, arbitrary: schedule },
    { weight: 1, arbitrary: unschedule },
    { weight: 4, arbitrary: wait },
    { weight: 2, arbitrary: fault },
  );
  const beginning = fc
    .tuple(
      limit,
      add.map((one) => ({ ...one, how: "one by one" as const })),
      add.map((one) => ({ ...one, how: "together" as const })),
      add,
      wait,
    )
    .map(([limits, ...adds]): Op[] => [
      { kind: "schedule", schedule: "quick" },
      { kind: "schedule", schedule: "endless" },
      { ...limits, concurrency: limits.concurrency ?? 3, max: limits.max ?? 10 },
      ...adds,
    ]);
  return fc.tuple(beginning, fc.array(op, { minLength: 25, maxLength: 40 })).map((parts) => parts.flat());
}
