import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { Option } from "@bomb.sh/tab";
import tab from "@bomb.sh/tab/commander";
import { readAddresses } from "../connection/addresses.ts";
import { Session } from "../connection/session.ts";

type Names = Readonly<Record<string, readonly string[]>>;

// Whoever has pressed the key waits for it.
const withinMs = 1_500;

/** What may come next behind `words`, for the shell: commands, options, and names of what there is on the stores. */
export async function complete(program: Command, words: readonly string[]): Promise<void> {
  const globals = program.options;
  const root = tab(program);
  const names = words.length > 1 && !words.at(-1)?.startsWith("-") ? await readNames().catch((): Names => ({})) : {};
  // What is done where no command below is named takes the same names.
  for (const below of ["groups list", "limits show", "schedules list"]) {
    const [name] = below.split(" ");
    const [argument] = root.commands.get(below)?.arguments.values() ?? [];
    if (argument && name !== undefined) root.commands.get(name)?.argument(argument.name);
  }
  for (const command of root.commands.values()) {
    for (const { long, description, required } of globals) {
      const name = long?.slice(2);
      if (name !== undefined && !command.options.has(name)) {
        command.options.set(name, new Option(command, name, description, required ? () => undefined : undefined, undefined, !required));
      }
    }
    for (const argument of command.arguments.values()) {
      const known = names[argument.name];
      if (known) argument.handler = (tell) => known.forEach((name) => tell(name, ""));
    }
  }
  // Asked by the scripts, and typed by nobody.
  root.commands.delete("complete");
  root.parse([...words]);
  // A connection that is still being made is not waited for.
  process.exit();
}

/** None where the stores do not answer at once. */
async function readNames(): Promise<Names> {
  const { directory } = await new Session(readAddresses({}, process.env)).keyline();
  const asked = async (): Promise<Names> => {
    const [queues, streams, channels] = await Promise.all([directory.queues(), directory.streams(), directory.channels()]);
    const named = (entries: readonly { readonly name: string }[]): string[] => entries.map(({ name }) => name);
    const [queue, stream, channel] = [named(queues), named(streams), named(channels)];
    // What takes either has an argument of these names.
    return { queue, stream, channel, name: [...new Set([...stream, ...queue])], thing: [...new Set([...queue, ...stream, ...channel])] };
  };
  return Promise.race([asked(), delay(withinMs, {})]);
}
