import type { Command } from "commander";
import type { LimitChanges, Limits, Rate } from "keyline";
import { audited } from "../acts/audited.ts";
import { openQueue } from "../connection/names.ts";
import { action, type Context } from "../context.ts";
import { WrongUse } from "../exit-codes.ts";
import { countOrNone, rateOrNone } from "../input/parse.ts";
import { duration } from "../output/times.ts";

interface SetOptions {
  readonly concurrency?: number | "none";
  readonly rate?: Rate | "none";
  readonly groupConcurrency?: number | "none";
  readonly groupRate?: Rate | "none";
}

export function define(command: Command): void {
  command
    .command("show", { isDefault: true })
    .description("Show the limits that are in force.")
    .argument("<queue>")
    .action(
      action(async (context, name: string) =>
        show(context, name, await (await openQueue(context.session, name, { isValkeyEnough: true })).limits()),
      ),
    );
  command
    .command("set")
    .description("Change limits, for all workers at once. What is left out stays as it is.")
    .argument("<queue>")
    .option("--concurrency <count>", 'jobs that run at the same time, or "none"', countOrNone)
    .option("--rate <rate>", 'how many begin, such as 100/s, or "none"', rateOrNone)
    .option("--group-concurrency <count>", "the same for each group", countOrNone)
    .option("--group-rate <rate>", "the same for each group", rateOrNone)
    .action(
      action(async (context, name: string, options: SetOptions) => {
        const changes = changesOf(options);
        const queue = await openQueue(context.session, name);
        const act = { action: "limits", target: `queue:${name}`, details: changes };
        await audited(context.session, act, () => queue.setLimits(changes));
        await show(context, name, await queue.limits());
      }),
    );
}

function changesOf({ concurrency, rate: ofAll, groupConcurrency, groupRate }: SetOptions): LimitChanges {
  const group = {
    ...(groupConcurrency !== undefined && { concurrency: limit(groupConcurrency) }),
    ...(groupRate !== undefined && { rate: limit(groupRate) }),
  };
  const changes = {
    ...(concurrency !== undefined && { concurrency: limit(concurrency) }),
    ...(ofAll !== undefined && { rate: limit(ofAll) }),
    ...(Object.keys(group).length > 0 && { group }),
  };
  if (Object.keys(changes).length > 0) return changes;
  throw new WrongUse("Say what is to be changed: --concurrency, --rate, --group-concurrency or --group-rate.");
}

function limit<Value>(value: Value | "none"): Value | null {
  return value === "none" ? null : value;
}

function show({ output }: Context, name: string, { concurrency, rate: ofAll, group }: Limits): Promise<void> {
  const record = {
    queue: name,
    concurrency: concurrency ?? null,
    rate: ofAll ?? null,
    groupConcurrency: group?.concurrency ?? null,
    groupRate: group?.rate ?? null,
  };
  return output.details(record, [
    ["concurrency", concurrency ?? "no limit"],
    ["rate", rateText(ofAll)],
    ["group concurrency", group?.concurrency ?? 1],
    ["group rate", rateText(group?.rate)],
  ]);
}

function rateText(found: Rate | undefined): string {
  return found ? `${found.max} in ${duration(found.per)}` : "no limit";
}
