import type { Command } from "commander";
import { audited } from "../acts/audited.ts";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";

export function define(command: Command): void {
  command
    .argument("<queue>")
    .option("--group <group>", "only this group")
    .action(
      action(async ({ output, session }, name: string, options: { readonly group?: string }) => {
        const queue = await openQueue(session, name);
        await audited(session, { action: "resume", target: `queue:${name}`, details: options }, () => queue.resume(options));
        const what = options.group === undefined ? name : `group ${options.group} of ${name}`;
        await output.result({ queue: name, group: options.group ?? null, paused: false }, `Resumed ${what}.`);
      }),
    );
}
