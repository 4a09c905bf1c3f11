import { Command } from "commander";
import { catalog } from "../../src/catalog.ts";

/** All that can be asked for, such as "jobs" and "groups redrive": what has commands below it is named by these. */
export async function leaves(): Promise<string[]> {
  const all = await Promise.all(
    catalog.map(async ({ name, load }) => {
      const command = new Command(name);
      (await load()).define(command);
      return command.commands.length === 0 ? [name] : command.commands.map((below) => `${name} ${below.name()}`);
    }),
  );
  return all.flat();
}
