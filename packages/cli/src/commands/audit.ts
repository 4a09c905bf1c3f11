import type { Command } from "commander";
import type { AuditEntry } from "keyline";
import { action } from "../context.ts";
import { count } from "../input/parse.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";

interface Options {
  readonly target?: string;
  readonly cursor?: string;
  readonly limit: number;
}

export function define(command: Command): void {
  command
    .option("--target <target>", "only acts on this, such as queue:emails")
    .option("--limit <count>", "so many at the most", count, 50)
    .option("--cursor <cursor>", "go on behind the entry that had this cursor")
    .action(
      action(async ({ output, session }, options: Options) => {
        const { audit } = await session.keyline();
        let last: AuditEntry | undefined;
        const noting = async function* (): AsyncGenerator<AuditEntry> {
          for await (const entry of audit.list(options)) yield (last = entry);
        };
        const found = await output.list(columns, noting());
        if (found === options.limit && last) output.hint(`More: --cursor ${last.cursor}`);
      }),
    );
}

const columns: readonly Column<AuditEntry>[] = [
  { title: "WHEN", text: ({ at }) => relative(at), plain: ({ at }) => exact(at) },
  { title: "WHO", text: ({ who }) => who, isKey: true },
  { title: "ACTION", text: ({ action: name }) => name, isKey: true },
  { title: "TARGET", text: ({ target }) => target, isKey: true },
  { title: "COUNT", text: (entry) => entry.count, align: "right" },
  { title: "ENDED", text: ({ finishedAt, error }) => (finishedAt === undefined ? "not known" : error === undefined ? "done" : "failed") },
  { title: "ERROR", text: ({ error }) => error, isLong: true, style: () => "red" },
  { title: "DETAILS", text: ({ details }) => (details === undefined ? undefined : jsonLine(details)), isLong: true },
];
