import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { builtCommand } from "./built-command.ts";

/** What a process of the command came to. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Env = Readonly<Record<string, string | undefined>>;

interface Options {
  readonly env?: Env;
  /** What comes on standard input. */
  readonly input?: string;
}

const nodeArgs = ["--enable-source-maps", await builtCommand()];

/** Begins it with these servers in its environment, and nothing of ours that would change what it says. */
export function start(args: readonly string[], { env = {} }: Pick<Options, "env"> = {}): ChildProcess {
  return spawn(process.execPath, [...nodeArgs, ...args], { env: cleanEnv(env), stdio: ["pipe", "pipe", "pipe"] });
}

/** Runs it to its end. */
export async function keyline(args: readonly string[], { env, input = "" }: Options = {}): Promise<Ended> {
  const child = start(args, env ? { env } : {});
  child.stdin?.on("error", () => undefined).end(input);
  return ended(child);
}

export async function ended(child: ChildProcess): Promise<Ended> {
  const exit = once(child, "close") as Promise<[number | null]>;
  const read = (stream: Readable | null): Promise<string> => (stream ? text(stream) : Promise.resolve(""));
  const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)]);
  return { code: (await exit)[0], stdout, stderr };
}

/** Resolves when what it has printed fits; rejects when it ends before. */
export function printed(child: ChildProcess, pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = "";
    child[stream]?.setEncoding("utf8").on("data", (chunk: string) => {
      seen += chunk;
      if (pattern.test(seen)) resolve(seen);
    });
    child.once("close", () => reject(new Error(`It ended, and had printed ${JSON.stringify(seen)}`)));
  });
}

/** Whether `script` runs a command on a terminal of its own, as that of Linux does: there it must not be missing. */
export const hasTerminals = process.platform === "linux";

/** The same on a terminal, of which standard output and standard error are one. `answers` are typed when they are asked for. */
export async function onTerminal(
  args: readonly string[],
  { env = {}, columns = 100, rows = 24, answers = [] }: TerminalOptions & { answers?: readonly string[] } = {},
): Promise<Ended & { readonly lines: readonly string[] }> {
  const child = startOnTerminal(args, { env, columns, rows });
  const left = [...answers];
  let seen = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    seen += chunk;
    if (/\[y\/N\]|Type .* to go on: /.test(chunk) && left.length > 0) child.stdin?.write(`${left.shift()}\r`);
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: seen, stderr: "", lines: plain(seen).split(/\r?\n/) };
}

interface TerminalOptions extends Pick<Options, "env"> {
  readonly columns?: number;
  readonly rows?: number;
}

export function startOnTerminal(args: readonly string[], options: TerminalOptions = {}): ChildProcess {
  return startTerminal([process.execPath, ...nodeArgs, ...args], options);
}

/** Any program on a terminal of its own. */
export function startTerminal(words: readonly string[], { env = {}, columns = 100, rows = 24 }: TerminalOptions): ChildProcess {
  const line = `stty cols ${columns} rows ${rows}; exec ${words.map(quoted).join(" ")}`;
  return spawn("script", ["-qec", line, "/dev/null"], { env: cleanEnv({ TERM: "xterm", ...env }), stdio: ["pipe", "pipe", "pipe"] });
}

/** Makes a file that is the command, as npm does. */
export async function writeCommand(file: string): Promise<void> {
  await writeFile(file, `#!/bin/sh\nexec ${[process.execPath, ...nodeArgs].map(quoted).join(" ")} "$@"\n`, { mode: 0o755 });
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

const escape = String.fromCodePoint(27);
const sequences = new RegExp(String.raw`${escape}(?:\[[0-9;?]*[A-Za-z]|\(B)`, "g");

/** Without colours and movements. */
export function plain(text: string): string {
  return text.replaceAll(sequences, "");
}

/** The objects that were printed, one a line. */
export function objects({ stdout }: Pick<Ended, "stdout">): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function cleanEnv(env: Env): NodeJS.ProcessEnv {
  const ours = new Set([
    "VALKEY_URL",
    "VALKEY_SENTINEL",
    "DATABASE_URL",
    "KEYLINE_PREFIX",
    "NO_COLOR",
    "FORCE_COLOR",
    "VITEST",
    "NODE_OPTIONS",
  ]);
  const rest = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.has(name)));
  return { ...rest, ...env };
}
