import type { Command } from "commander";
import type { Member } from "keyline";
import { openChannel } from "../connection/names.ts";
import { action } from "../context.ts";
import { jsonLine } from "../output/printable.ts";
import type { Column } from "../output/table.ts";
import { exact, relative } from "../output/times.ts";

export function define(command: Command): void {
  command
    .description("List who is on a channel: whoever has entered its presence, in any process.")
    .argument("<channel>")
    .action(
      action(async ({ output, session }, name: string) => {
        const channel = await openChannel(session, name, {});
        if ((await output.list(columns, await channel.presence.members())) === 0) output.hint(`Nobody is on channel ${name}.`);
      }),
    );
}

const columns: readonly Column<Member>[] = [
  { title: "MEMBER", text: ({ member }) => member, isKey: true },
  { title: "SINCE", text: ({ since }) => relative(since), plain: ({ since }) => exact(since) },
  { title: "INFO", text: ({ info }) => (info === undefined || info === null ? undefined : jsonLine(info)), isLong: true },
];
