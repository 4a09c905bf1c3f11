import type { Command } from "commander";
import { audited } from "../acts/audited.ts";
import { openQueue } from "../connection/names.ts";
import { action } from "../context.ts";
import { Failure } from "../exit-codes.ts";
import { readData } from "../input/data.ts";

export function define(command: Command): void {
  command
    .description("Send a job of a transactional queue the signal that it waits for, or will wait for.")
    .argument("<queue>")
    .argument("<id>")
    .argument("<signal>", "its name")
    .argument("[data]", "JSON that goes with it, or - for what comes on standard input")
    .action(
      action(async ({ output, session }, name: string, id: string, signal: string, given: string | undefined) => {
        const data = given === undefined ? undefined : await readData(given);
        const queue = await openQueue(session, name);
        const act = { action: "signal", target: `queue:${name}`, details: { ids: [id], signal } };
        const isThere = await audited(session, act, () => queue.signal(id, signal, data), { countOf: Number });
        if (!isThere) throw new Failure(`Queue ${name} has no job ${id} that has not ended.`);
        await output.result({ queue: name, id, signal, sent: true }, `Sent ${signal} to job ${id} of ${name}.`);
      }),
    );
}
