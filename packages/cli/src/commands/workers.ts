import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { WorkerInfo } from "keyline";
import { openQueue, type AnyQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import type { Column } from "../output/table.ts";
import { duration, exact, relative } from "../output/times.ts";

export function define(command: Command): void {
  command.argument("<queue>").action(
    action(async ({ output, session }, name: string) => {
      const queue = await openQueue(session, name, { isValkeyEnough: true });
      if ((await output.list(columns, await workersOf(queue))) === 0) output.hint(`Queue ${name} has no worker.`);
    }),
  );
}

// They tell what they run a second after somebody has begun to ask.
const tellWithinMs = 1_500;

async function workersOf(queue: AnyQueue): Promise<readonly WorkerInfo[]> {
  const first = await queue.workers();
  if (!first.some(({ running, jobs }) => running > 0 && jobs.length === 0)) return first;
  await delay(tellWithinMs);
  return queue.workers();
}

const columns: readonly Column<WorkerInfo>[] = [
  { title: "HOST", text: ({ host }) => host },
  { title: "PROCESS", text: ({ pid }) => pid, align: "right" },
  { title: "VERSION", text: ({ version }) => version },
  { title: "STARTED", text: ({ startedAt }) => startedAt && relative(startedAt), plain: ({ startedAt }) => startedAt && exact(startedAt) },
  { title: "CONCURRENCY", text: ({ concurrency }) => concurrency, align: "right" },
  { title: "RUNNING", text: ({ running }) => running, align: "right" },
  { title: "JOBS", text: ({ jobs }) => jobs.map(runningText).join(", "), isLong: true },
];

function runningText({ id, startedAt }: WorkerInfo["jobs"][number]): string {
  return `${id} for ${duration(Date.now() - startedAt)}`;
}
