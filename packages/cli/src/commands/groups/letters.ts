import type { Command } from "commander";
import type { GroupDeadLetter } from "keyline";
import { confirm } from "../../acts/confirm.ts";
import { actInPages } from "../../acts/in-pages.ts";
import { openStream, type AnyStream } from "../../connection/names.ts";
import { action, type Context } from "../../context.ts";
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
      action(async (context, name: string, group: string, ids: string[], { limit }: { readonly limit?: number }) => {
        const stream = await openStream(context.session, name);
        const asked = { ...(ids.length > 0 && { ids }), ...(limit !== undefined && { limit }) };
        return actInPages(context, {
          act: { action: "group.redrive", target: `stream:${name}`, details: { group, ...asked } },
          doing: "Redriving",
          total: await totalOf(context, stream, { group, ids, limit }),
          named: new Set(ids).size,
          work: (pages) => stream.group(group).redrive({ ...asked, ...pages }),
          tell: (number) => told({ stream: name, group, number }, "Redrove"),
        });
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
        async (context, name: string, group: string, ids: string[], { all, yes }: { readonly all?: boolean; readonly yes?: boolean }) => {
          if (ids.length > 0 === (all ?? false)) throw new WrongUse("Say which dead letters are meant: ids, or --all.");
          const stream = await openStream(context.session, name);
          const meant = all ? "all dead letters" : plural(ids.length);
          await confirm(context.output, `Remove ${meant} of group ${group} for good`, yes);
          const asked = all ? { all } : { ids };
          return actInPages(context, {
            act: { action: "group.discard", target: `stream:${name}`, details: { group, ...asked } },
            doing: "Discarding",
            total: await totalOf(context, stream, { group, ids }),
            named: new Set(ids).size,
            work: (pages) => stream.group(group).discard({ ...asked, ...pages }),
            tell: (number) => told({ stream: name, group, number }, "Discarded"),
          });
        },
      ),
    );
}

/** For the bar of whoever looks on. */
async function totalOf(
  { output }: Context,
  stream: AnyStream,
  { group, ids, limit = Infinity }: { readonly group: string; readonly ids: readonly string[]; readonly limit?: number | undefined },
): Promise<number | undefined> {
  if (!output.terminal.isError) return undefined;
  if (ids.length > 0) return new Set(ids).size;
  const found = (await stream.groups()).find(({ name }) => name === group);
  return found && Math.min(found.dead, limit);
}

interface Told {
  readonly stream: string;
  readonly group: string;
  readonly number: number;
}

function told({ stream, group, number }: Told, what: string): { readonly record: object; readonly sentence: string } {
  return { record: { stream, group, count: number }, sentence: `${what} ${plural(number)} of group ${group}.` };
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
