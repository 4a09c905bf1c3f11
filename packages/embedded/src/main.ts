#!/usr/bin/env node
/*
 * `npx @keyline/embedded`: a Valkey and a PostgreSQL until Ctrl-C, or, with a command behind it, for as long as that command runs.
 *
 * stdout has two lines for a shell and nothing else, so that they can be pasted or written to a file; everything said to people goes to stderr.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { EmbeddedError } from "./errors.ts";
import type { Environment } from "./process/command.ts";
import { keepingAwake } from "./process/waiting.ts";
import { startPostgres } from "./postgres/postgres.ts";
import { startValkey } from "./valkey/valkey.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const say = (line: string): void => console.error(line);

const [command, ...args] = process.argv.slice(2);
try {
  process.exitCode = await serve();
} catch (error) {
  say(error instanceof EmbeddedError ? error.message : String(error));
  process.exitCode = 1;
}

/** Returns the exit code. */
async function serve(): Promise<number> {
  // A signal that comes before both run ends this process at once, and what has begun ends with it, as always.
  const [valkey, postgres] = await Promise.all([startValkey({ log: say }), startPostgres({ log: say })]);
  try {
    const urls = { VALKEY_URL: valkey.url, DATABASE_URL: await postgres.createDatabase("keyline") };
    return command === undefined ? await untilSignal(urls) : await run(command, urls);
  } finally {
    await Promise.all([valkey.stop(), postgres.stop()]);
  }
}

async function untilSignal(urls: Readonly<Record<string, string>>): Promise<number> {
  // Ctrl-C in `npm run` arrives twice, from the terminal and from npm: the listeners stay, so that the second changes nothing.
  const stopped = new Promise<void>((resolve) => {
    for (const signal of signals) process.on(signal, () => resolve());
  });
  for (const [name, url] of Object.entries(urls)) console.log(`export ${name}='${url}'`);
  say("Paste the two lines into another terminal. Ctrl-C stops both servers, and their data goes.");
  await keepingAwake(stopped);
  return 0;
}

async function run(program: string, urls: Environment): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, ...urls } });
  // From the terminal the command has it already; a signal to this process alone is handed on. The command's end is ours.
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } catch (error) {
    throw new EmbeddedError("COMMAND_FAILED", `${program} could not be started`, { cause: error });
  }
}
