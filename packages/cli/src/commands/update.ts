import { Option, type Command } from "commander";
import type { JobChanges, Priority } from "keyline";
import { audited } from "../acts/audited.ts";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { Failure, WrongUse } from "../exit-codes.ts";
import { readData } from "../input/data.ts";
import { duration, point } from "../input/parse.ts";

interface Options {
  readonly data?: string;
  readonly delay?: number;
  readonly at?: number;
  readonly priority?: Priority;
}

export function define(command: Command): void {
  command
    .description("Change a job that does not run yet: what it is about, when it runs, or which goes before it.")
    .argument("<queue>")
    .argument("<id>")
    .option("--data <json>", "what it is about from now on: JSON, or - for what comes on standard input")
    .option("--delay <time>", "not before so long from now (30s, 2h)", duration)
    .option("--at <time>", "not before this time", point)
    .addOption(new Option("--priority <priority>", "which of those that wait is taken first").choices(["high", "normal", "low"]))
    .action(
      action(async ({ output, session }, name: string, id: string, options: Options) => {
        const changes = await changesOf(options);
        const queue = await openQueue(session, name);
        // No payload in the audit trail.
        const { data: _, ...told } = options;
        const details = { ids: [id], ...told, ...(options.data !== undefined && { changesData: true }) };
        const act = { action: "update", target: `queue:${name}`, details };
        const { updated, state } = await audited(session, act, () => queue.update(id, changes), {
          countOf: (result) => Number(result.updated),
        });
        if (!updated && state === "unknown") throw new Failure(`Queue ${name} has no job ${id}, and remembers none.`);
        if (!updated) throw new Failure(`Job ${id} of ${name} is ${state}, and nothing was changed.`);
        await output.result({ queue: name, id, updated, state }, `Changed job ${id} of ${name}, which is ${state}.`);
      }),
    );
}

async function changesOf({ data, delay, at, priority }: Options): Promise<JobChanges> {
  if (delay !== undefined && at !== undefined) throw new WrongUse("--delay goes not with --at.");
  const changes = {
    ...(data !== undefined && { data: await readData(data, "--data") }),
    ...(delay !== undefined && { delay }),
    ...(at !== undefined && { runAt: at }),
    ...(priority !== undefined && { priority }),
  };
  if (Object.keys(changes).length > 0) return changes;
  throw new WrongUse("Say what is to be changed: --data, --delay, --at or --priority.");
}
