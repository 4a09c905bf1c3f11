import type { Command } from "commander";
import type { Message } from "keyline";
import { openChannel } from "../connection/names.ts";
import { action } from "../context.ts";
import { count } from "../input/parse.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";

interface Options {
  readonly limit: number;
  readonly since?: string;
}

export function define(command: Command): void {
  command
    .description("Read the newest messages that a channel keeps, oldest first.")
    .argument("<channel>")
    .option("--limit <count>", "so many at the most", count, 50)
    .option("--since <cursor>", 'those behind this cursor, or "earliest" for all that is kept')
    .action(
      action(async ({ output, session }, name: string, options: Options) => {
        const channel = await openChannel(session, name, { history: {} });
        const { messages, cursor } = await channel.history(options);
        if ((await output.list(columns, messages)) === 0) output.hint(`Channel ${name} keeps no messages.`);
        else output.hint(`What comes next: keyline tail channel ${name} --since ${cursor}`);
      }),
    );
}

const columns: readonly Column<Message>[] = [
  { title: "AT", text: ({ at }) => relative(at), plain: ({ at }) => exact(at) },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];
