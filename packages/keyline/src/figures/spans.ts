import type { CountedSpan } from "../valkey/figures/figure-log.ts";
import type { RateRange } from "./figures.ts";

/** What was counted in a minute, or an hour. */
export type Span<Name extends string> = {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
} & Readonly<Record<Name, number>>;

/** What was counted, minute by minute or hour by hour. */
export interface Spans<Name extends string> {
  /** Oldest first; the last one is not over yet. Empty where hours were asked for. */
  readonly minutes: readonly Span<Name>[];
  /** The same of hours. */
  readonly hours: readonly Span<Name>[];
  /** All of them together. */
  readonly total: Readonly<Record<Name, number>>;
}

export function toSpans<Name extends string>(names: readonly Name[], counted: readonly CountedSpan[], { unit }: RateRange): Spans<Name> {
  const pick = (of: (name: Name) => number): Record<Name, number> =>
    Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, number>;
  const spans = counted.map(({ at, counts }): Span<Name> => ({ at, ...pick((name) => counts.get(name) ?? 0) }));
  return {
    minutes: unit === "minutes" ? spans : [],
    hours: unit === "hours" ? spans : [],
    total: pick((name) => counted.reduce((sum, { counts }) => sum + (counts.get(name) ?? 0), 0)),
  };
}
