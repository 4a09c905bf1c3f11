import type { Command } from "commander";
import type { DeadLettersOptions, LetterActOptions } from "keyline";
import { WrongUse } from "../exit-codes.ts";
import { count, time } from "./parse.ts";

/** What narrows down dead letters on a command line. */
export interface LetterFilterOptions {
  readonly error?: string;
  readonly cause?: string;
  readonly group?: string;
  readonly before?: number;
  readonly after?: number;
}

/** Which dead letters a command line acts on. */
export interface LetterOptions extends LetterFilterOptions {
  readonly all?: boolean;
  readonly limit?: number;
  readonly dryRun?: boolean;
}

export function defineLetterFilter(command: Command): Command {
  return command
    .argument("<queue>")
    .argument("[ids...]", "of these jobs")
    .option("--error <text>", "whose error has this text in it, or matches /this expression/i")
    .option("--cause <cause>", "of this cause, as keyline causes lists them")
    .option("--group <group>", "of jobs of this group")
    .option("--before <time>", "that died before this time, or longer ago than 2h", time)
    .option("--after <time>", "that died since this time, or in the last 2h", time);
}

/** The options that say which dead letters are acted on. */
export function defineLetterOptions(command: Command): Command {
  return defineLetterFilter(command)
    .option("--all", "all of them")
    .option("--limit <count>", "so many at the most, oldest first", count)
    .option("--dry-run", "only say how many there are");
}

/** What the library is asked for. Nothing that says which of them are meant is no filter: --all has to be said. */
export function letterFilter(ids: readonly string[], { all, limit, ...options }: LetterOptions): LetterActOptions {
  const filter = filterOf(ids, options);
  const isFiltered = Object.keys(filter).length > 0;
  if (all && isFiltered) throw new WrongUse("--all goes with no filter.");
  if (!all && !isFiltered)
    throw new WrongUse("Say which dead letters are meant: ids, --error, --cause, --group, --before, --after, or --all.");
  return { ...(all ? { all } : filter), ...(limit !== undefined && { limit }) };
}

export function filterOf(ids: readonly string[], { error, cause, group, before, after }: LetterFilterOptions): DeadLettersOptions {
  return {
    ...(ids.length > 0 && { ids }),
    ...(error !== undefined && { error: errorOf(error) }),
    ...(cause !== undefined && { cause }),
    ...(group !== undefined && { group }),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  };
}

function errorOf(text: string): string | RegExp {
  const [, pattern, flags] = /^\/(.+)\/([a-z]*)$/.exec(text) ?? [];
  if (pattern === undefined) return text;
  try {
    return new RegExp(pattern, flags);
  } catch (error) {
    throw new WrongUse(`--error is no expression: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
