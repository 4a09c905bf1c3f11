import type { LetterActOptions } from "keyline";
import { openQueue } from "../connection/names.ts";
import type { Context } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { letterFilter, type LetterOptions } from "../input/letters.ts";
import { confirm } from "./confirm.ts";
import { actInPages } from "./in-pages.ts";

interface LetterAct {
  readonly what: "redrive" | "discard";
  readonly name: string;
  readonly ids: readonly string[];
  readonly options: LetterOptions & { readonly yes?: boolean };
}

const words = {
  redrive: { doing: "Redriving", done: "Redrove" },
  discard: { doing: "Discarding", done: "Discarded" },
} as const;

/** Puts dead letters back, or removes them: counts first, asks where something is lost, and can be stopped between two pages. */
export async function actOnLetters(context: Context, { what, name, ids, options }: LetterAct): Promise<ExitCode> {
  const { output, session } = context;
  const meant = letterFilter(ids, options);
  const queue = await openQueue(session, name);
  const { doing, done } = words[what];
  const isAsked = what === "discard" && !options.yes && !options.dryRun;
  const filter = isAsked ? untilNow(meant) : meant;
  // Counted for whoever is asked, and for the bar of whoever looks on.
  const isCounted = isAsked || options.dryRun || output.terminal.isError;
  const fit = isCounted ? await queue[what]({ ...filter, dryRun: true }) : undefined;
  if (options.dryRun) {
    await output.result({ queue: name, fit, dryRun: true }, `Would ${what} ${plural(fit ?? 0)} of ${name}.`);
    return exitCodes.done;
  }
  if (isAsked && fit !== 0) await confirm(output, `Remove ${plural(fit ?? 0)} of ${name} for good`, options.yes);
  return actInPages(context, {
    act: { action: what, target: `queue:${name}`, details: detailsOf(filter) },
    doing,
    total: fit,
    named: filter.limit === undefined ? filter.ids && new Set(filter.ids).size : undefined,
    work: (pages) => queue[what]({ ...filter, ...pages }),
    tell: (count) => ({ record: { queue: name, count }, sentence: `${done} ${plural(count)} of ${name}.` }),
  });
}

/** Those that die while somebody thinks about the answer are not meant. */
function untilNow({ all: _, ...filter }: LetterActOptions): LetterActOptions {
  return { ...filter, before: filter.before ?? Date.now() };
}

function detailsOf({ error, ...filter }: LetterActOptions): object {
  return { ...filter, ...(error !== undefined && { error: String(error) }) };
}

function plural(count: number): string {
  return count === 1 ? "1 dead letter" : `${count.toLocaleString("en")} dead letters`;
}
