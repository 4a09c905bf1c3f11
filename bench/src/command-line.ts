import { parseArgs } from "node:util";
import type { Case } from "./suite/case.ts";

export interface Request {
  readonly cases: readonly Case[];
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly isListOnly: boolean;
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
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a whole number from 1, not ${values.rounds}.`);
  const unknown = positionals.filter((name) => !all.some((benchCase) => benchCase.name === name));
  if (unknown.length > 0) throw new Error(`There is no case ${unknown.join(", ")}. --list shows all of them.`);
  return {
    cases: positionals.length === 0 ? all : all.filter((benchCase) => positionals.includes(benchCase.name)),
    isQuick: values.quick,
    rounds: values.quick ? 1 : rounds,
    isListOnly: values.list,
  };
}
