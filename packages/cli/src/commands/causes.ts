import type { Command } from "commander";
import type { DeadLetterCause } from "keyline";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { count } from "../input/parse.ts";
import type { Column } from "../output/table.ts";
import { tellIfFromRows } from "../status/stores.ts";
import { exact, relative } from "../output/times.ts";

export function define(command: Command): void {
  command
    .argument("<queue>")
    .option("--limit <count>", "so many at the most", count, 50)
    .action(
      action(async ({ output, session }, name: string, { limit }: { readonly limit: number }) => {
        const queue = await openQueue(session, name);
        const { causes, looked, total } = await queue.deadLetterCauses({ limit });
        if ((await output.list(columns, causes)) === 0) output.hint(`Queue ${name} has no dead letters.`);
        if (looked < total) output.note(`These are the causes of the newest ${looked} of ${total} dead letters.`);
        return tellIfFromRows({ output, session });
      }),
    );
}

const columns: readonly Column<DeadLetterCause>[] = [
  { title: "COUNT", text: (cause) => cause.count, align: "right" },
  { title: "FIRST", text: ({ firstAt }) => relative(firstAt), plain: ({ firstAt }) => exact(firstAt) },
  { title: "LAST", text: ({ lastAt }) => relative(lastAt), plain: ({ lastAt }) => exact(lastAt) },
  { title: "CAUSE", text: ({ cause }) => cause, isKey: true },
  { title: "EXAMPLE", text: ({ example }) => example, isLong: true, isExtra: true },
];
