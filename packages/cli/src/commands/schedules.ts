import type { Command } from "commander";
import type { Schedule } from "keyline";
import { audited } from "../acts/audited.ts";
import { confirm } from "../acts/confirm.ts";
import { openQueue, type AnyQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { WrongUse } from "../exit-codes.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { duration, exact, relative } from "../output/times.ts";

export function define(command: Command): void {
  command
    .command("list", { isDefault: true })
    .description("List the schedules of a queue.")
    .argument("<queue>")
    .action(
      action(async ({ output, session }, name: string) => {
        const queue = await openQueue(session, name);
        if ((await output.list(columns, queue.schedules())) === 0) output.hint(`Queue ${name} has no schedules.`);
      }),
    );
  defineAct(command, { name: "run", summary: "Make a job like that of a tick, at once.", act: runNow });
  defineAct(command, { name: "pause", summary: "Make no ticks until it is resumed.", act: pause });
  defineAct(command, { name: "resume", summary: "End the pause of a schedule.", act: resume });
  defineAct(command, { name: "remove", summary: "End a schedule. The jobs of its ticks stay.", act: remove, isDestructive: true });
}

interface ScheduleAct {
  readonly name: string;
  readonly summary: string;
  readonly isDestructive?: true;
  /** Returns what is said of it; undefined where there is no such schedule. */
  act(queue: AnyQueue, schedule: string): Promise<{ readonly sentence: string; readonly id?: string } | undefined>;
}

function defineAct(parent: Command, { name: verb, summary, isDestructive, act }: ScheduleAct): void {
  const command = parent.command(verb).description(summary).argument("<queue>").argument("<schedule>");
  if (isDestructive) command.option("--yes", "without a question");
  command.action(
    action(async ({ output, session }, name: string, schedule: string, { yes }: { readonly yes?: boolean }) => {
      const queue = await openQueue(session, name);
      if (isDestructive) await confirm(output, `End schedule ${schedule} of ${name}`, yes);
      const target = `queue:${name}`;
      await audited(session, { action: `schedule.${verb}`, target, details: { schedule } }, async () => {
        const done = await act(queue, schedule);
        if (!done) throw new WrongUse(`Queue ${name} has no schedule ${schedule}: keyline schedules ${name} lists them.`);
        const { sentence, ...rest } = done;
        await output.result({ queue: name, schedule, action: verb, ...rest }, sentence);
      });
    }),
  );
}

async function runNow(queue: AnyQueue, schedule: string): ReturnType<ScheduleAct["act"]> {
  try {
    const { id } = await queue.runSchedule(schedule);
    return { id, sentence: `Added ${id} to ${queue.name}.` };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "UNKNOWN_SCHEDULE") return undefined;
    throw error;
  }
}

async function pause(queue: AnyQueue, schedule: string): ReturnType<ScheduleAct["act"]> {
  return (await queue.pauseSchedule(schedule)) ? { sentence: `Paused schedule ${schedule} of ${queue.name}.` } : undefined;
}

async function resume(queue: AnyQueue, schedule: string): ReturnType<ScheduleAct["act"]> {
  return (await queue.resumeSchedule(schedule)) ? { sentence: `Resumed schedule ${schedule} of ${queue.name}.` } : undefined;
}

async function remove(queue: AnyQueue, schedule: string): ReturnType<ScheduleAct["act"]> {
  return (await queue.unschedule(schedule)) ? { sentence: `Removed schedule ${schedule} of ${queue.name}.` } : undefined;
}

const columns: readonly Column<Schedule<unknown>>[] = [
  { title: "NAME", text: ({ name }) => name, isKey: true },
  { title: "TIMES", text: timesOf },
  { title: "NEXT", text: (schedule) => nextOf(schedule, relative), plain: (schedule) => nextOf(schedule, exact) },
  { title: "LAST", text: ({ lastAt }) => lastAt && relative(lastAt), plain: ({ lastAt }) => lastAt && exact(lastAt) },
  { title: "TICKS", text: ({ ticks }) => ticks, align: "right" },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];

function timesOf({ cron, timezone, every }: Schedule<unknown>): string {
  return cron === undefined ? `every ${duration(every ?? 0)}` : `${cron} ${timezone ?? ""}`.trim();
}

function nextOf({ paused, nextAt }: Schedule<unknown>, format: (at: number) => string): string {
  if (paused) return "paused";
  return nextAt === undefined ? "over" : format(nextAt);
}
