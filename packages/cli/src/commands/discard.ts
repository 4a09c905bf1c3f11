import type { Command } from "commander";
import { actOnLetters } from "../acts/letters.ts";
import { action } from "../context.ts";
import { defineLetterOptions, type LetterOptions } from "../input/letters.ts";

export function define(command: Command): void {
  defineLetterOptions(command)
    .option("--yes", "without a question")
    .action(
      action((context, name: string, ids: string[], options: LetterOptions) =>
        actOnLetters(context, { what: "discard", name, ids, options }),
      ),
    );
}
