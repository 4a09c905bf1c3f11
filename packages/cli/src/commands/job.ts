import type { Command } from "commander";
import type { QueuedJob } from "keyline";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { Failure } from "../exit-codes.ts";
import type { Details, Output } from "../output/output.ts";
import { stateStyle } from "../output/states.ts";
import { exact, relative } from "../output/times.ts";

export function define(command: Command): void {
  command
    .argument("<queue>")
    .argument("<id>")
    .action(
      action(async ({ output, session }, name: string, id: string) => {
        const queue = await openQueue(session, name);
        const job = await queue.job(id);
        if (!job) throw new Failure(`Queue ${name} has no job ${id}, and remembers none.`);
        await output.details(job, detailsOf(job, output));
      }),
    );
}

function detailsOf(job: QueuedJob, output: Output): Details {
  const { id, state, attempts, addedAt, dueAt, group, priority, error, history, progress, data } = job;
  const isWide = output.terminal.isOutput;
  const at = (time: number | undefined): string | undefined =>
    time === undefined ? undefined : isWide ? `${exact(time)} (${relative(time)})` : exact(time);
  const json = (value: unknown): string | undefined => JSON.stringify(value, undefined, isWide ? 2 : undefined);
  return [
    ["id", id],
    ["state", state, stateStyle(state)],
    ["attempts", attempts],
    ["added", at(addedAt)],
    ["due", at(dueAt)],
    ["group", group],
    ["priority", priority],
    ["error", error, "red"],
    ["history", history.length === 0 ? undefined : history.map((failed) => json(failed)).join("\n")],
    ["progress", json(progress)],
    ["data", json(data)],
  ];
}
