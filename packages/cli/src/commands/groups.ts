import type { Command } from "commander";
import type { GroupDeadLetter, GroupStatus } from "keyline";
import { audited } from "../acts/audited.ts";
import { openStream } from "../connection/names.ts";
import { action } from "../context.ts";
import { count } from "../input/parse.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";

export function define(command: Command): void {
  command
    .command("list", { isDefault: true })
    .description("List the consumer groups of a stream.")
    .argument("<stream>")
    .action(
      action(async ({ output, session }, name: string) => {
        const stream = await openStream(session, name);
        if ((await output.list(groupColumns, await stream.groups())) === 0) output.hint(`Stream ${name} has no consumer groups.`);
      }),
    );
  defineLetters(command);
  defineRedrive(command);
}

function defineLetters(command: Command): void {
  command
    .command("letters")
    .description("List the dead letters of a group, newest first.")
    .argument("<stream>")
    .argument("<group>")
    .option("--limit <count>", "so many at the most", count, 50)
    .action(
      action(async ({ output, session }, name: string, group: string, { limit }: { readonly limit: number }) => {
        const stream = await openStream(session, name);
        const found = await output.list(letterColumns, stream.group(group).deadLetters({ limit }));
        if (found === 0) output.hint(`Group ${group} has no dead letters.`);
      }),
    );
}

function defineRedrive(command: Command): void {
  command
    .command("redrive")
    .description("Hand out dead letters of a group again.")
    .argument("<stream>")
    .argument("<group>")
    .option("--limit <count>", "so many at the most, oldest first", count)
    .action(
      action(async ({ output, session }, name: string, group: string, { limit }: { readonly limit?: number }) => {
        const stream = await openStream(session, name);
        const asked = { ...(limit !== undefined && { limit }) };
        const act = { action: "group.redrive", target: `stream:${name}`, details: { group, ...asked } };
        const redriven = await audited(
          session,
          act,
          () => stream.group(group).redrive(asked),
          (number) => number,
        );
        await output.result({ stream: name, group, count: redriven }, `Redrove ${redriven} dead letters of group ${group}.`);
      }),
    );
}

const groupColumns: readonly Column<GroupStatus>[] = [
  { title: "GROUP", text: ({ name }) => name, isKey: true },
  { title: "LAG", text: ({ lag }) => lag, align: "right" },
  { title: "PENDING", text: ({ pending }) => pending, align: "right" },
  {
    title: "OLDEST",
    text: ({ oldestPendingAt }) => oldestPendingAt && relative(oldestPendingAt),
    plain: ({ oldestPendingAt }) => oldestPendingAt && exact(oldestPendingAt),
  },
  { title: "RETRYING", text: ({ retrying }) => retrying, align: "right" },
  { title: "DEAD", text: ({ dead }) => dead, align: "right", style: ({ dead }) => (dead > 0 ? "red" : undefined) },
  {
    title: "CONSUMERS",
    text: ({ consumers }) => consumers,
    align: "right",
    style: ({ consumers }) => (consumers === 0 ? "yellow" : undefined),
  },
  { title: "LOST", text: ({ lost }) => lost, align: "right", style: ({ lost }) => (lost > 0 ? "red" : undefined) },
];

const letterColumns: readonly Column<GroupDeadLetter>[] = [
  { title: "ID", text: ({ id }) => id, isKey: true },
  { title: "KEY", text: ({ key }) => key },
  { title: "DIED", text: ({ at }) => relative(at), plain: ({ at }) => exact(at) },
  { title: "ATTEMPTS", text: ({ attempts }) => attempts, align: "right" },
  { title: "REASON", text: ({ reason }) => reason, isLong: true, style: () => "red" },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];
