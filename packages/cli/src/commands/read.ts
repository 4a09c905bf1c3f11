import type { Command } from "commander";
import type { Entry } from "keyline";
import { openStream } from "../connection/names.ts";
import { action } from "../context.ts";
import { count, place } from "../input/parse.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";

interface Options {
  readonly from?: string | number;
  readonly to?: string | number;
  readonly key?: string;
  readonly reverse?: boolean;
  readonly limit: number;
}

export function define(command: Command): void {
  command
    .argument("<stream>")
    .option("--from <place>", "begin at this id or time (2h)", place)
    .option("--to <place>", "end at this id or time", place)
    .option("--key <key>", "only entries of this key")
    .option("--reverse", "newest first")
    .option("--limit <count>", "so many at the most", count, 50)
    .action(
      action(async ({ output, session }, name: string, options: Options) => {
        const { key } = options;
        // What the function says is of no matter where nothing is appended: that there is one lets the library look for keys.
        const stream = await openStream(session, name, key === undefined ? {} : { key: () => key });
        let last: string | undefined;
        const noting = async function* (): AsyncGenerator<Entry<unknown>> {
          for await (const entry of stream.read(options)) {
            last = entry.id;
            yield entry;
          }
        };
        const found = await output.list(columns, noting());
        if (found === 0) output.hint("There are none.");
        if (found === options.limit && last !== undefined) output.hint(`There may be more: ${options.reverse ? "--to" : "--from"} ${last}`);
      }),
    );
}

const columns: readonly Column<Entry<unknown>>[] = [
  { title: "ID", text: ({ id }) => id, isKey: true },
  { title: "APPENDED", text: ({ at }) => relative(at), plain: ({ at }) => exact(at) },
  { title: "KEY", text: ({ key }) => key, isLong: true },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];
