import { createInterface } from "node:readline/promises";
import { Failure, WrongUse } from "../exit-codes.ts";
import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";

/** Asks before something is destroyed. Where nobody can be asked, `--yes` has to say so. */
export async function confirm(output: Output, question: string, isSure: boolean | undefined): Promise<void> {
  if (isSure) return;
  if (!output.terminal.canAsk) throw new WrongUse(`${question}? Nobody can be asked here: say --yes`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${printable(question)}? [y/N] `);
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new Failure("Nothing was done.");
  } finally {
    prompt.close();
  }
}
