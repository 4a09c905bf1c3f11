import type { Command } from "commander";
import type { ChannelEntry } from "keyline";
import { action } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Column } from "../output/table.ts";
import { channelItem, type Item } from "../status/item.ts";
import { askingAll, storesOf, tellAway } from "../status/stores.ts";

interface ChannelLine extends Pick<Item, "name" | "inPerMinute" | "outPerMinute"> {
  readonly hasHistory: boolean;
  /** Processes that listen to this very channel. */
  readonly listeners: number | undefined;
  readonly lastSeenAt: number | undefined;
}

const atATime = 16;

export function define(command: Command): void {
  command.description("List the channels that applications list, and how many processes listen to each.").action(
    action(async ({ output, session }) => {
      const keyline = await session.reached();
      const stores = storesOf(await keyline.health());
      const ask = askingAll(stores);
      const entries = (await ask(keyline.directory.channels())) ?? [];
      const read = async (entry: ChannelEntry): Promise<ChannelLine> => {
        const { name, hasHistory, lastSeenAt, open } = entry;
        const [{ inPerMinute, outPerMinute }, listeners] = await Promise.all([
          channelItem(entry, { ask, maxAgeMs: Infinity }),
          ask(open().listeners()),
        ]);
        return { name, hasHistory, listeners: listeners?.connections, inPerMinute, outPerMinute, lastSeenAt };
      };
      const lines = async function* (): AsyncGenerator<ChannelLine> {
        for (let first = 0; first < entries.length; first += atATime) {
          yield* await Promise.all(entries.slice(first, first + atATime).map(read));
        }
      };
      const isAway = tellAway(output, stores, session.addresses);
      const found = await output.list(columns, lines());
      if (found === 0 && !isAway) output.hint("No channel is listed. Applications list those that are worth it: channel.list()");
      return isAway ? exitCodes.failed : exitCodes.done;
    }),
  );
}

const columns: readonly Column<ChannelLine>[] = [
  { title: "NAME", text: ({ name }) => name, isKey: true },
  { title: "HISTORY", text: ({ hasHistory }) => (hasHistory ? "yes" : "no") },
  { title: "LISTENERS", text: ({ listeners }) => listeners, align: "right" },
  { title: "IN/MIN", text: ({ inPerMinute }) => inPerMinute, align: "right" },
  { title: "OUT/MIN", text: ({ outPerMinute }) => outPerMinute, align: "right" },
];
