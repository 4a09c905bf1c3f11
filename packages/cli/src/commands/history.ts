import type { Command } from "commander";
import type { Gap, Message } from "keyline";
import { openChannel } from "../connection/names.ts";
import { action } from "../context.ts";
import { count } from "../input/parse.ts";
import type { Output } from "../output/output.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";

interface Options {
  readonly limit: number;
  readonly since?: string;
  readonly before?: string;
}

export function define(command: Command): void {
  command
    .description("Read the newest messages that a channel keeps, oldest first.")
    .argument("<channel>")
    .option("--limit <count>", "so many at the most", count, 50)
    .option("--since <cursor>", 'those behind this cursor, or "earliest" for all that is kept')
    .option("--before <cursor>", "the newest of those before the message with this cursor")
    .action(
      action(async ({ output, session }, name: string, options: Options) => {
        const channel = await openChannel(session, name, { history: {} });
        const { messages, gaps, cursor, earlier } = await channel.history(options);
        const found = await output.list(columns, messages);
        for (const gap of gaps) await tellGap(output, gap);
        if (found === 0) output.hint(nothing(name, options));
        if (earlier !== undefined) output.hint(`What came before: keyline history ${name} --before ${earlier}`);
        if (found > 0 && options.before === undefined) output.hint(`What comes next: keyline tail channel ${name} --since ${cursor}`);
      }),
    );
}

/** Who reads JSON is told in its place, as by `tail`. */
async function tellGap(output: Output, gap: Gap): Promise<void> {
  if (output.isJson) await output.remark({ gap });
  else output.note(`Something is missing: ${jsonLine(gap)}`);
}

function nothing(name: string, { since, before }: Options): string {
  if (since === undefined && before === undefined) return `Channel ${name} keeps no messages.`;
  return `Channel ${name} keeps none ${before === undefined ? "behind" : "before"} that.`;
}

const columns: readonly Column<Message>[] = [
  { title: "AT", text: ({ at }) => relative(at), plain: ({ at }) => exact(at) },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];
