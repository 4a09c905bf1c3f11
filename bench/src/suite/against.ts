import type { Bench } from "./bench.ts";
import type { Case, Goal } from "./case.ts";

/** The code of an older commit, as a contender beside the code of now. */
export interface Older {
  readonly name: string;
  /** Starts processes of that commit, on the same servers. */
  readonly bench: Bench;
}

/** The case with no contenders but Keyline's, each beside itself as it was: no figure may be worse by more than `percent`. */
export function againstOlder(benchCase: Case, older: Older, percent: number): Case {
  const own = benchCase.contenders.filter((contender) => contender.startsWith("keyline"));
  const suffix = `@${older.name}`;
  const goals = own.flatMap((contender) =>
    Object.entries(benchCase.figures).map(([figure, { better }]): Goal => {
      const bound = better === "higher" ? { atLeast: 1 - percent / 100 } : { atMost: 1 + percent / 100 };
      return { figure, of: contender, against: [contender + suffix], ...bound };
    }),
  );
  return {
    ...benchCase,
    contenders: own.flatMap((contender) => [contender, contender + suffix]),
    goals,
    run: (contender, bench) =>
      contender.endsWith(suffix)
        ? older.bench.watch(() => benchCase.run(contender.slice(0, -suffix.length), older.bench))
        : benchCase.run(contender, bench),
  };
}
