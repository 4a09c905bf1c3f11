import { Option, type Command } from "commander";
import type { CancelOptions } from "keyline";
import { audited } from "../acts/audited.ts";
import { confirm } from "../acts/confirm.ts";
import { actInPages } from "../acts/in-pages.ts";
import { openQueue } from "../connection/names.ts";
import { action, type Context } from "../context.ts";
import { exitCodes, Failure, WrongUse, type ExitCode } from "../exit-codes.ts";
import { time } from "../input/parse.ts";

interface Options {
  readonly all?: boolean;
  readonly group?: string;
  readonly state?: NonNullable<CancelOptions["state"]>;
  readonly before?: number;
  readonly after?: number;
  readonly yes?: boolean;
}

export function define(command: Command): void {
  command
    .argument("<queue>")
    .argument("[ids...]", "these jobs")
    .option("--all", "all that have not ended")
    .option("--group <group>", "those of this group")
    .addOption(new Option("--state <state>", "those in this state").choices(["waiting", "scheduled", "running"]))
    .option("--before <time>", "those added before this time, or longer ago than 2h", time)
    .option("--after <time>", "those added since this time, or in the last 2h", time)
    .option("--yes", "without a question")
    .action(
      action((context, name: string, ids: string[], options: Options) => {
        const filter = filterOf(ids, options);
        const [id, ...others] = ids;
        return id !== undefined && others.length === 0
          ? cancelOne(context, name, { id, options })
          : cancelMany(context, name, { filter, options });
      }),
    );
}

function filterOf(ids: readonly string[], { all, group, state, before, after }: Options): CancelOptions {
  const filter = {
    ...(ids.length > 0 && { ids }),
    ...(group !== undefined && { group }),
    ...(state !== undefined && { state }),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  };
  const isFiltered = Object.keys(filter).length > 0;
  if (all && isFiltered) throw new WrongUse("--all goes with no filter.");
  if (!all && !isFiltered) throw new WrongUse("Say which jobs are meant: ids, --group, --state, --before, --after, or --all.");
  return all ? { all } : filter;
}

async function cancelOne(
  { output, session }: Context,
  name: string,
  { id, options }: { readonly id: string; readonly options: Options },
): Promise<ExitCode> {
  const queue = await openQueue(session, name);
  await confirm(output, `Cancel job ${id} of ${name}`, options.yes);
  const act = { action: "cancel", target: `queue:${name}`, details: { ids: [id] } };
  const was = await audited(session, act, () => queue.cancel(id), { countOf: (found) => Number(found !== "unknown" && found !== "dead") });
  if (was === "unknown") throw new Failure(`Queue ${name} has no job ${id} that has not ended.`);
  if (was === "dead") throw new Failure(`Job ${id} is a dead letter, and stays one: keyline discard ${name} ${id}`);
  await output.result({ queue: name, id, was }, `Cancelled ${id}, which was ${was}.`);
  return exitCodes.done;
}

async function cancelMany(
  context: Context,
  name: string,
  { filter, options }: { readonly filter: CancelOptions; readonly options: Options },
): Promise<ExitCode> {
  const queue = await openQueue(context.session, name);
  await confirm(context.output, `Cancel ${describe(filter)} of ${name}`, options.yes);
  return actInPages(context, {
    act: { action: "cancel", target: `queue:${name}`, details: filter },
    doing: "Cancelling",
    total: filter.ids?.length,
    named: filter.ids && new Set(filter.ids).size,
    work: (pages) => queue.cancel({ ...filter, ...pages }),
    tell: (count) => ({ record: { queue: name, count }, sentence: `Cancelled ${count.toLocaleString("en")} jobs of ${name}.` }),
  });
}

function describe({ ids, all }: CancelOptions): string {
  if (ids) return `${ids.length} jobs`;
  return all ? "all jobs" : "all jobs that fit";
}
