import type { Command } from "commander";
import { readAddresses, type AddressOptions } from "./connection/addresses.ts";
import { Session } from "./connection/session.ts";
import { explain } from "./explain-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { Output } from "./output/output.ts";

/** What a command works with. */
export interface Context {
  readonly output: Output;
  readonly session: Session;
}

/** Options that every command has. */
interface CommonOptions extends AddressOptions {
  readonly json?: boolean | string;
}

/** Makes an action of Commander's out of what a command does: its errors become a message and an exit code, and its connections are closed. */
export function action(work: (context: Context, ...args: never[]) => Promise<ExitCode | void>): (...args: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals<CommonOptions>();
    let session: Session | undefined;
    try {
      session = new Session(readAddresses(options, process.env));
      process.exitCode = (await work({ output: new Output(options.json), session }, ...(given.slice(0, -1) as never[]))) ?? exitCodes.done;
      await session.close();
    } catch (error) {
      const { text, exitCode } = explain(error, session?.addresses);
      process.stderr.write(`${text}\n`);
      process.exitCode = exitCode;
      await session?.close().catch(() => undefined);
    }
  };
}
