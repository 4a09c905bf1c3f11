import { parseArgs } from "node:util";
import type { Case } from "./suite/case.ts";

export interface Request {
  readonly cases: readonly Case[];
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly isListOnly: boolean;
  /** Compares Keyline with itself at this commit instead of with its peers. */
  readonly against: { readonly revision: string; readonly percent: number } | undefined;
}

/** Throws with a sentence for the user when the arguments make no sense. */
export function parseCommandLine(args: readonly string[], all: readonly Case[]): Request {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      against: { type: "string" },
      within: { type: "string", default: "5" },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a whole number from 1, not ${values.rounds}.`);
  const percent = Number(values.within);
  if (!(percent > 0 && percent < 100)) throw new Error(`--within takes percent above 0 and below 100, not ${values.within}.`);
  const unknown = positionals.filter((name) => !all.some((benchCase) => benchCase.name === name));
  if (unknown.length > 0) throw new Error(`There is no case ${unknown.join(", ")}. --list shows all of them.`);
  return {
    cases: positionals.length === 0 ? all : all.filter((benchCase) => positionals.includes(benchCase.name)),
    isQuick: values.quick,
    rounds: values.quick ? 1 : rounds,
    isListOnly: values.list,
    against: values.against === undefined ? undefined : { revision: values.against, percent },
  };
}
