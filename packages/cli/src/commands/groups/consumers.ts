import type { Command } from "commander";
import type { ConsumerInfo } from "keyline";
import { openStream } from "../../connection/names.ts";
import { action } from "../../context.ts";
import type { Column } from "../../output/table.ts";
import { exact, relative } from "../../output/times.ts";

export function defineConsumers(command: Command): void {
  command
    .command("consumers")
    .description("List who consumes for a group.")
    .argument("<stream>")
    .argument("<group>")
    .action(
      action(async ({ output, session }, name: string, group: string) => {
        const stream = await openStream(session, name);
        if ((await output.list(columns, await stream.group(group).consumers())) === 0) output.hint(`Group ${group} has no consumer.`);
      }),
    );
}

const columns: readonly Column<ConsumerInfo>[] = [
  { title: "HOST", text: ({ host }) => host },
  { title: "PROCESS", text: ({ pid }) => pid, align: "right" },
  { title: "VERSION", text: ({ version }) => version },
  { title: "STARTED", text: ({ startedAt }) => startedAt && relative(startedAt), plain: ({ startedAt }) => startedAt && exact(startedAt) },
  { title: "CONCURRENCY", text: ({ concurrency }) => concurrency, align: "right" },
  { title: "RUNNING", text: ({ running }) => running, align: "right" },
];
