import type { Command } from "commander";
import type { GroupDeadLetter } from "keyline";
import { audited } from "../../acts/audited.ts";
import { confirm } from "../../acts/confirm.ts";
import { openStream } from "../../connection/names.ts";
import { action } from "../../context.ts";
import { WrongUse } from "../../exit-codes.ts";
import { count } from "../../input/parse.ts";
import { jsonLine } from "../../output/printable.ts";
import type { Column } from "../../output/table.ts";
import { exact, relative } from "../../output/times.ts";

export function defineLetters(command: Command): void {
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

export function defineRedrive(command: Command): void {
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
        const redriven = await audited(session, act, () => stream.group(group).redrive(asked), { countOf: (number) => number });
        await output.result({ stream: name, group, count: redriven }, `Redrove ${plural(redriven)} of group ${group}.`);
      }),
    );
}

export function defineDiscard(command: Command): void {
  command
    .command("discard")
    .description("Remove dead letters of a group for good: those with these ids, or --all.")
    .argument("<stream>")
    .argument("<group>")
    .argument("[ids...]")
    .option("--all", "all of them")
    .option("--yes", "without a question")
    .action(
      action(
        async (
          { output, session },
          name: string,
          group: string,
          ids: string[],
          { all, yes }: { readonly all?: boolean; readonly yes?: boolean },
        ) => {
          if (ids.length > 0 === (all ?? false)) throw new WrongUse("Say which dead letters are meant: ids, or --all.");
          const stream = await openStream(session, name);
          const meant = all ? "all dead letters" : plural(ids.length);
          await confirm(output, `Remove ${meant} of group ${group} for good`, yes);
          const asked = all ? { all } : { ids };
          const act = { action: "group.discard", target: `stream:${name}`, details: { group, ...asked } };
          const discarded = await audited(session, act, () => stream.group(group).discard(asked), { countOf: (number) => number });
          await output.result({ stream: name, group, count: discarded }, `Discarded ${plural(discarded)} of group ${group}.`);
        },
      ),
    );
}

function plural(number: number): string {
  return number === 1 ? "1 dead letter" : `${number.toLocaleString("en")} dead letters`;
}

const letterColumns: readonly Column<GroupDeadLetter>[] = [
  { title: "ID", text: ({ id }) => id, isKey: true },
  { title: "KEY", text: ({ key }) => key, isLong: true },
  { title: "DIED", text: ({ at }) => relative(at), plain: ({ at }) => exact(at) },
  { title: "ATTEMPTS", text: ({ attempts }) => attempts, align: "right" },
  { title: "REASON", text: ({ reason }) => reason, isLong: true, style: () => "red" },
  { title: "DATA", text: ({ data }) => jsonLine(data), isLong: true },
];
