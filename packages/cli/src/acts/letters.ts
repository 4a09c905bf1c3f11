import type { LetterActOptions } from "keyline";
import { openQueue } from "../connection/names.ts";
import type { Context } from "../context.ts";
import { letterFilter, type LetterOptions } from "../input/letters.ts";
import { interruption } from "../interruption.ts";
import { startProgress } from "../output/progress.ts";
import { audited } from "./audited.ts";
import { confirm } from "./confirm.ts";

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
export async function actOnLetters({ output, session }: Context, { what, name, ids, options }: LetterAct): Promise<void> {
  const meant = letterFilter(ids, options);
  const queue = await openQueue(session, name);
  const { doing, done } = words[what];
  const isAsked = what === "discard" && !options.yes && !options.dryRun;
  const filter = isAsked ? untilNow(meant) : meant;
  // Counted for whoever is asked, and for the bar of whoever looks on.
  const isCounted = isAsked || options.dryRun || output.terminal.isError;
  const fit = isCounted ? await queue[what]({ ...filter, dryRun: true }) : undefined;
  if (options.dryRun) {
    return output.result({ queue: name, fit, dryRun: true }, `Would ${what} ${plural(fit ?? 0)} of ${name}.`);
  }
  if (isAsked && fit !== 0) await confirm(output, `Remove ${plural(fit ?? 0)} of ${name} for good`, options.yes);
  const progress = await startProgress(output, doing, fit);
  let reached = 0;
  const asked: LetterActOptions = {
    ...filter,
    signal: interruption(),
    onProgress: ({ done: number, total }) => progress.update((reached = number), total ?? fit),
  };
  try {
    const act = { action: what, target: `queue:${name}`, details: detailsOf(filter) };
    const count = await audited(
      session,
      act,
      () => queue[what](asked),
      (number) => number,
    );
    progress.stop();
    await output.result({ queue: name, count }, `${done} ${plural(count)} of ${name}.`);
  } catch (error) {
    progress.stop();
    if (reached > 0) output.note(`${done} ${plural(reached)} of ${name} before that.`);
    throw error;
  }
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
