import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { Failure, WrongUse } from "../exit-codes.ts";
import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";

/** Asks before something is destroyed. Where nobody can be asked, `--yes` has to say so. */
export async function confirm(output: Output, question: string, isSure: boolean | undefined): Promise<void> {
  if (isSure) return;
  const answer = await ask(output, question, `${question}? [y/N] `);
  if (!/^y(?:es)?$/i.test(answer)) throw new Failure("Nothing was done.");
}

/** The same for what concerns a whole name: it has to be typed, so that nobody means another one. */
export async function confirmTyped(
  output: Output,
  { question, name, isSure }: { readonly question: string; readonly name: string; readonly isSure: boolean | undefined },
): Promise<void> {
  if (isSure) return;
  const answer = await ask(output, question, `${question}?\nType ${name} to go on: `);
  if (answer !== name) throw new Failure("Nothing was done.");
}

async function ask(output: Output, question: string, prompted: string): Promise<string> {
  if (!output.terminal.canAsk) throw new WrongUse(`${question}? Nobody can be asked here: say --yes`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D are answers too: the former rejects, and behind the latter nothing comes.
  const gone = once(prompt, "close").then(() => "");
  const typed = prompt.question(printable(prompted)).catch(() => "");
  try {
    return (await Promise.race([typed, gone])).trim();
  } finally {
    prompt.close();
  }
}
