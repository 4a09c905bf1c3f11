import type { Command } from "commander";
import type { GroupDeadLetter, GroupStatus } from "keyline";
import { audited } from "../acts/audited.ts";
import { confirm } from "../acts/confirm.ts";
import { openStream } from "../connection/names.ts";
import { action } from "../context.ts";
import { WrongUse } from "../exit-codes.ts";
import { count, place } from "../input/parse.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";

interface Sure {
  readonly yes?: boolean;
}

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
  defineDiscard(command);
  defineReset(command);
  defineRemove(command);
}

function defineLetters(command: Command): void {
  command
    .command("letters")
    .description("List the dead letters of a group, newest first.")
    .argument("<stream>")
    .argument("<group>")
    .option("--limit <count>", "so many at the most", count, 50)
    .option("--cursor <cursor>", "go on behind the letter that had this cursor")
    .action(
      action(async ({ output, session }, name: string, group: string, options: { readonly limit: number; readonly cursor?: string }) => {
        const stream = await openStream(session, name);
        let last: GroupDeadLetter | undefined;
        const noting = async function* (): AsyncGenerator<GroupDeadLetter> {
          for await (const letter of stream.group(group).deadLetters(options)) yield (last = letter);
        };
        const found = await output.list(letterColumns, noting());
        if (found === 0) output.hint(`Group ${group} has no dead letters.`);
        if (found === options.limit && last) output.hint(`More: --cursor ${last.cursor}`);
      }),
    );
}

function defineRedrive(command: Command): void {
  command
    .command("redrive")
    .description("Hand out dead letters of a group again: those with these ids, or all.")
    .argument("<stream>")
    .argument("<group>")
    .argument("[ids...]")
    .option("--limit <count>", "so many at the most, oldest first", count)
    .action(
      action(async ({ output, session }, name: string, group: string, ids: string[], { limit }: { readonly limit?: number }) => {
        const stream = await openStream(session, name);
        const asked = { ...(ids.length > 0 && { ids }), ...(limit !== undefined && { limit }) };
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

function defineDiscard(command: Command): void {
  command
    .command("discard")
    .description("Remove dead letters of a group for good: those with these ids, or --all.")
    .argument("<stream>")
    .argument("<group>")
    .argument("[ids...]")
    .option("--all", "all of them")
    .option("--yes", "without a question")
    .action(
      action(async ({ output, session }, name: string, group: string, ids: string[], { all, yes }: Sure & { readonly all?: boolean }) => {
        if (ids.length > 0 === (all ?? false)) throw new WrongUse("Say which dead letters are meant: ids, or --all.");
        const stream = await openStream(session, name);
        const meant = all ? "all dead letters" : `${ids.length} dead letters`;
        await confirm(output, `Remove ${meant} of group ${group} for good`, yes);
        const asked = all ? { all } : { ids };
        const act = { action: "group.discard", target: `stream:${name}`, details: { group, ...asked } };
        const discarded = await audited(
          session,
          act,
          () => stream.group(group).discard(asked),
          (number) => number,
        );
        await output.result({ stream: name, group, count: discarded }, `Discarded ${discarded} dead letters of group ${group}.`);
      }),
    );
}

function defineRemove(command: Command): void {
  command
    .command("remove")
    .description("Remove a group with everything it knows. Stop its consumers first: a running one makes it again.")
    .argument("<stream>")
    .argument("<group>")
    .option("--yes", "without a question")
    .action(
      action(async ({ output, session }, name: string, group: string, { yes }: Sure) => {
        const stream = await openStream(session, name);
        await confirm(output, `Remove group ${group} of ${name} with its place and its dead letters`, yes);
        const act = { action: "group.remove", target: `stream:${name}`, details: { group } };
        await audited(session, act, () => stream.group(group).remove());
        await output.result({ stream: name, group, removed: true }, `Removed group ${group} of ${name}.`);
      }),
    );
}

function defineReset(command: Command): void {
  command
    .command("reset")
    .description("Let a group go on elsewhere: at the start, the end, an entry's id or a time. What it has passed over then it never gets.")
    .argument("<stream>")
    .argument("<group>")
    .argument("<place>", "start, end, an id, or a time (2h)", placeOf)
    .option("--yes", "without a question")
    .action(
      action(async ({ output, session }, name: string, group: string, to: string | Date, { yes }: Sure) => {
        const stream = await openStream(session, name);
        const told = to instanceof Date ? to.toISOString() : to;
        await confirm(output, `Let group ${group} of ${name} go on at ${told}`, yes);
        const act = { action: "group.reset", target: `stream:${name}`, details: { group, place: told } };
        await audited(session, act, () => stream.group(group).reset(to));
        await output.result({ stream: name, group, place: told }, `Group ${group} of ${name} goes on at ${told}.`);
      }),
    );
}

function placeOf(text: string): string | Date {
  if (text === "start" || text === "end") return text;
  const to = place(text);
  if (to === "-") return "start";
  if (to === "+") return "end";
  return typeof to === "number" || !to.includes("-") ? new Date(Number(to)) : to;
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
