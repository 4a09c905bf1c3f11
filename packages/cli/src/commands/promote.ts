import type { Command } from "commander";
import { audited } from "../acts/audited.ts";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { Failure } from "../exit-codes.ts";

export function define(command: Command): void {
  command
    .description("Let a scheduled job run now: one that was delayed, or waits for its next attempt.")
    .argument("<queue>")
    .argument("<id>")
    .action(
      action(async ({ output, session }, name: string, id: string) => {
        const queue = await openQueue(session, name);
        const act = { action: "promote", target: `queue:${name}`, details: { ids: [id] } };
        const isDue = await audited(session, act, () => queue.promote(id), { countOf: Number });
        if (!isDue) throw new Failure(`Queue ${name} has no job ${id} that is scheduled: keyline job ${name} ${id}`);
        await output.result({ queue: name, id, promoted: true }, `Job ${id} of ${name} is due now.`);
      }),
    );
}
