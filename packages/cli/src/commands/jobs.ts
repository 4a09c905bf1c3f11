import { Option, type Command } from "commander";
import type { ListedJobs, ListedState, QueuedJob } from "keyline";
import { asking, isAway } from "../connection/known.ts";
import { openQueue, type AnyQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { WrongUse } from "../exit-codes.ts";
import { count } from "../input/parse.ts";
import type { Output } from "../output/output.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";
import { stateStyle } from "../output/states.ts";
import { tellIfFromRows } from "../status/stores.ts";

interface JobsOptions {
  readonly state?: ListedState;
  readonly group?: string;
  readonly contains?: string;
  readonly error?: string;
  readonly cursor?: string;
  readonly limit: number;
}

const patienceMs = 5_000;
const states = ["waiting", "scheduled", "blocked", "running", "parked", "dead"] satisfies ListedState[];

export function define(command: Command): void {
  command
    .argument("<queue>")
    .addOption(new Option("--state <state>", "only those in this state").choices(states))
    .option("--group <group>", "only those of this group")
    .option("--contains <text>", "only those whose data has this text in its JSON: transactional, with --state dead or scheduled")
    .option("--error <text>", "only those whose error has this text in it: with --state dead or scheduled")
    .option("--limit <count>", "so many at the most", count, 50)
    .option("--cursor <cursor>", "go on behind the job that had this cursor")
    .action(
      action(async ({ output, session }, name: string, { limit, ...filter }: JobsOptions) => {
        // The others change while they are looked at, so that the library refuses to search them.
        const search = filter.contains !== undefined ? "--contains" : filter.error !== undefined ? "--error" : undefined;
        if (search !== undefined && filter.state !== "dead" && filter.state !== "scheduled") {
          throw new WrongUse(`${search} goes with --state dead or --state scheduled.`);
        }
        const queue = await openQueue(session, name);
        const jobs: ListedJobs = queue.jobs({ ...filter, limit });
        const found = await output.list(columns, jobs).catch(async (error: unknown) => {
          if (isAway(error)) await tellCounts(output, queue);
          throw error;
        });
        // A search ends before it has looked at all, whether it has found any or not.
        if (found === 0) output.hint(jobs.cursor === undefined ? "There are none." : "There are none among those that were looked at.");
        if (jobs.cursor !== undefined) output.hint(`More: --cursor ${jobs.cursor}`);
        return tellIfFromRows({ output, session });
      }),
    );
}

/** What PostgreSQL has of a queue whose running or blocked jobs cannot be listed as Valkey is away. */
async function tellCounts(output: Output, queue: AnyQueue): Promise<void> {
  const counts = await asking(patienceMs)(queue.counts());
  if (!counts?.isFromRows) return;
  const { waiting, scheduled, dead } = counts;
  output.note(`PostgreSQL has of ${queue.name}: ${waiting} that wait or run, ${scheduled} that are scheduled, ${dead} dead letters.`);
}

const columns: readonly Column<QueuedJob>[] = [
  { title: "ID", text: ({ id }) => id, isKey: true },
  { title: "STATE", text: ({ state }) => state, style: ({ state }) => stateStyle(state) },
  { title: "ATTEMPTS", text: ({ attempts }) => attempts, align: "right" },
  { title: "ADDED", text: ({ addedAt }) => addedAt && relative(addedAt), plain: ({ addedAt }) => addedAt && exact(addedAt) },
  { title: "DUE", text: ({ dueAt }) => dueAt && relative(dueAt), plain: ({ dueAt }) => dueAt && exact(dueAt) },
  { title: "GROUP", text: ({ group }) => group, isLong: true },
  { title: "ERROR", text: ({ error }) => error, isLong: true, style: () => "red" },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];
