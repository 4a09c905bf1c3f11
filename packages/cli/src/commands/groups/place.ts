import type { Command } from "commander";
import { audited } from "../../acts/audited.ts";
import { confirmTyped } from "../../acts/confirm.ts";
import { openStream, type AnyStream } from "../../connection/names.ts";
import { action } from "../../context.ts";
import { WrongUse } from "../../exit-codes.ts";
import { nearest } from "../../input/nearest.ts";
import { place } from "../../input/parse.ts";

interface Sure {
  readonly yes?: boolean;
}

export function defineReset(command: Command): void {
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
        await checkGroup(stream, group);
        await confirmTyped(output, { question: `Let group ${group} of ${name} go on at ${told}`, name: group, isSure: yes });
        const act = { action: "group.reset", target: `stream:${name}`, details: { group, place: told } };
        await audited(session, act, () => stream.group(group).reset(to));
        await output.result({ stream: name, group, place: told }, `Group ${group} of ${name} goes on at ${told}.`);
      }),
    );
}

export function defineRemove(command: Command): void {
  command
    .command("remove")
    .description("Remove a group with everything it knows. Stop its consumers first: a running one makes it again.")
    .argument("<stream>")
    .argument("<group>")
    .option("--yes", "without a question")
    .action(
      action(async ({ output, session }, name: string, group: string, { yes }: Sure) => {
        const stream = await openStream(session, name);
        await checkGroup(stream, group);
        await confirmTyped(output, {
          question: `Remove group ${group} of ${name} with its place and its dead letters`,
          name: group,
          isSure: yes,
        });
        const act = { action: "group.remove", target: `stream:${name}`, details: { group } };
        await audited(session, act, () => stream.group(group).remove());
        await output.result({ stream: name, group, removed: true }, `Removed group ${group} of ${name}.`);
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

/** Before anybody is asked. */
async function checkGroup(stream: AnyStream, group: string): Promise<void> {
  const names = (await stream.groups()).map(({ name }) => name);
  if (names.includes(group)) return;
  const near = nearest(group, names);
  const there = names.length === 0 ? "It has none." : `There are: ${names.join(", ")}.`;
  throw new WrongUse(`Stream ${stream.name} has no group ${group}.${near === undefined ? "" : ` Did you mean ${near}?`} ${there}`);
}
