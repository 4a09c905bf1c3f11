import type { Command } from "commander";
import { audited } from "../acts/audited.ts";
import { openChannel } from "../connection/names.ts";
import { action } from "../context.ts";
import { readData } from "../input/data.ts";
import { count } from "../input/parse.ts";

export function define(command: Command): void {
  command
    .argument("<channel>")
    .argument("[data]", "JSON, or - for what comes on standard input", "-")
    .option("--history <size>", "the channel keeps so many messages: the same as its other publishers say", count)
    .action(
      action(async ({ output, session }, name: string, given: string, { history }: { readonly history?: number }) => {
        const data = await readData(given);
        const channel = await openChannel(session, name, history === undefined ? {} : { history: { size: history } });
        const result = await audited(session, { action: "publish", target: `channel:${name}` }, () => channel.publish(data));
        const receivers = result.receivers === 1 ? "1 process listens" : `${result.receivers ?? 0} processes listen`;
        await output.result({ channel: name, ...result }, `Published ${result.id} on ${name}: ${receivers}.`);
      }),
    );
}
