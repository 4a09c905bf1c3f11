import type { Command } from "commander";
import type { FamilyNode, JobFamily, QueuedJob } from "keyline";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { Failure } from "../exit-codes.ts";
import { count } from "../input/parse.ts";
import type { Details, Output } from "../output/output.ts";
import { jsonLine, oneLine } from "../output/printable.ts";
import { stateStyle } from "../output/states.ts";
import { tellIfFromRows } from "../status/stores.ts";
import { duration, exact, relative } from "../output/times.ts";

interface Options {
  readonly family?: boolean;
  readonly limit: number;
}

export function define(command: Command): void {
  command
    .argument("<queue>")
    .argument("<id>")
    .option("--family", "who is above it, and the jobs that it is made of, as a tree")
    .option("--limit <count>", "with --family: so many jobs at the most", count, 100)
    .action(
      action(async ({ output, session }, name: string, id: string, { family, limit }: Options) => {
        const queue = await openQueue(session, name);
        const found = family ? await queue.family(id, { limit }) : undefined;
        if (found) {
          await tellFamily(output, found);
          return tellIfFromRows({ output, session });
        }
        const job = await queue.job(id);
        if (!job) throw new Failure(`Queue ${name} has no job ${id}, and remembers none.`);
        await output.details(job, detailsOf(job, output));
        return tellIfFromRows({ output, session });
      }),
    );
}

function detailsOf(job: QueuedJob, output: Output): Details {
  const { id, state, attempts, addedAt, dueAt, group, priority, error, stack, history, progress, worker, parent, children, steps, data } =
    job;
  const isWide = output.terminal.isOutput;
  const at = (time: number | undefined): string | undefined =>
    time === undefined ? undefined : isWide ? `${exact(time)} (${relative(time)})` : exact(time);
  const json = (value: unknown): string | undefined => JSON.stringify(value, undefined, isWide ? 2 : undefined);
  const failed = history.map(({ at: began, tookMs, error: reason }) => {
    return `${exact(began)}${tookMs === undefined ? "" : ` after ${duration(tookMs)}`}: ${reason}`;
  });
  const done = (steps ?? []).map(({ name, kind, at: ended, outcome, value }) => {
    return `${exact(ended)} ${kind} ${name}: ${outcome ?? "not yet"}${value === undefined ? "" : ` ${jsonLine(value)}`}`;
  });
  return [
    ["id", id],
    ["state", state, stateStyle(state)],
    ["worker", worker],
    ["attempts", attempts],
    ["added", at(addedAt)],
    ["due", at(dueAt)],
    ["group", group],
    ["priority", priority],
    ["parent", parent && `${parent.id} of ${parent.queue}`],
    [
      "children",
      children && `${children.total}, of which ${children.open} are open, ${children.dead} dead, ${children.cancelled} cancelled`,
    ],
    ["error", error, "red"],
    ["failed", lines(failed)],
    ["stack", stack ?? history.at(-1)?.stack],
    ["steps", lines(done)],
    ["progress", json(progress)],
    ["data", json(data)],
  ];
}

function lines(texts: readonly string[]): string | undefined {
  return texts.length === 0 ? undefined : texts.join("\n");
}

/** A line for each job, those below another one further in. */
async function tellFamily(output: Output, family: JobFamily): Promise<void> {
  if (output.isJson) return output.result(family, "");
  for (const { queue, id } of family.above) await output.text(oneLine(`${id} of ${queue}`));
  await tellNode(output, family, family.above.length);
}

async function tellNode(output: Output, node: FamilyNode, depth: number): Promise<void> {
  const indent = "  ".repeat(depth);
  const reason = node.reason === undefined ? "" : `: ${node.reason}`;
  await output.text(oneLine(`${indent}${node.id} of ${node.queue}, ${node.state}${reason}`));
  for (const child of node.children) await tellNode(output, child, depth + 1);
  if (node.next !== undefined) await output.text(`${indent}  and more`);
}
