import { Option, type Command } from "commander";
import type { ListedState, QueuedJob } from "keyline";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { count } from "../input/parse.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";
import { stateStyle } from "../output/states.ts";

interface JobsOptions {
  readonly state?: ListedState;
  readonly group?: string;
  readonly cursor?: string;
  readonly limit: number;
}

const states = ["waiting", "scheduled", "blocked", "running", "parked", "dead"] satisfies ListedState[];

export function define(command: Command): void {
  command
    .argument("<queue>")
    .addOption(new Option("--state <state>", "only those in this state").choices(states))
    .option("--group <group>", "only those of this group")
    .option("--limit <count>", "so many at the most", count, 50)
    .option("--cursor <cursor>", "go on behind the job that had this cursor")
    .action(
      action(async ({ output, session }, name: string, { limit, ...filter }: JobsOptions) => {
        const queue = await openQueue(session, name);
        let last: QueuedJob | undefined;
        const noting = async function* (): AsyncGenerator<QueuedJob> {
          for await (const job of queue.jobs({ ...filter, limit })) yield (last = job);
        };
        const found = await output.list(columns, noting());
        if (found === 0) output.hint("There are none.");
        if (found === limit && last) output.hint(`More: --cursor ${last.cursor}`);
      }),
    );
}

const columns: readonly Column<QueuedJob>[] = [
  { title: "ID", text: ({ id }) => id, isKey: true },
  { title: "STATE", text: ({ state }) => state, style: ({ state }) => stateStyle(state) },
  { title: "ATTEMPTS", text: ({ attempts }) => attempts, align: "right" },
  { title: "ADDED", text: ({ addedAt }) => addedAt && relative(addedAt), plain: ({ addedAt }) => addedAt && exact(addedAt) },
  { title: "DUE", text: ({ dueAt }) => dueAt && relative(dueAt), plain: ({ dueAt }) => dueAt && exact(dueAt) },
  { title: "GROUP", text: ({ group }) => group },
  { title: "ERROR", text: ({ error }) => error, isLong: true, style: () => "red" },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];
