import type { Command } from "commander";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { audited } from "./audited.ts";

/** What `pause` and `resume` have in common: they do the same to a queue or to one of its groups, the other way round. */
export function definePausing(command: Command, act: "pause" | "resume"): void {
  command
    .argument("<queue>")
    .option("--group <group>", "only this group")
    .action(
      action(async ({ output, session }, name: string, options: { readonly group?: string }) => {
        const queue = await openQueue(session, name);
        await audited(session, { action: act, target: `queue:${name}`, details: options }, () => queue[act](options));
        const what = options.group === undefined ? name : `group ${options.group} of ${name}`;
        const isPaused = act === "pause";
        await output.result({ queue: name, group: options.group ?? null, paused: isPaused }, `${isPaused ? "Paused" : "Resumed"} ${what}.`);
      }),
    );
}
