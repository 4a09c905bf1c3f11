import type { Command } from "commander";
import type { DeadLetter } from "keyline";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { defineLetterFilter, filterOf, type LetterFilterOptions } from "../input/letters.ts";
import { count } from "../input/parse.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { tellIfFromRows } from "../status/stores.ts";
import { exact, relative } from "../output/times.ts";

export function define(command: Command): void {
  defineLetterFilter(command)
    .option("--limit <count>", "so many at the most, newest first", count, 50)
    .action(
      action(
        async (
          { output, session },
          name: string,
          ids: string[],
          { limit, ...options }: LetterFilterOptions & { readonly limit: number },
        ) => {
          const queue = await openQueue(session, name);
          const found = await output.list(columns, queue.deadLetters({ ...filterOf(ids, options), limit }));
          if (found === 0) output.hint("There are none.");
          if (found === limit) output.hint(`These are the newest ${limit} that fit: --limit shows more, --before those that died before.`);
          return tellIfFromRows({ output, session });
        },
      ),
    );
}

const columns: readonly Column<DeadLetter>[] = [
  { title: "ID", text: ({ id }) => id, isKey: true },
  { title: "DIED", text: ({ at }) => relative(at), plain: ({ at }) => exact(at) },
  { title: "ATTEMPTS", text: ({ attempts }) => attempts, align: "right" },
  { title: "GROUP", text: ({ group }) => group, isLong: true },
  { title: "REASON", text: ({ reason }) => reason, isLong: true, style: () => "red" },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];
