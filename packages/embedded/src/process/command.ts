import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { EmbeddedError } from "../errors.ts";
import type { Identity } from "./identity.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

interface CommandOptions {
  readonly env?: Environment;
  readonly identity?: Identity;
}

/** Runs a program to its end and returns what it printed. Throws COMMAND_FAILED with its messages when it fails. */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const child = spawn(command, args, {
    cwd: "/",
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    ...options.identity?.ids,
  });
  let output = "";
  let messages = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (messages += text));
  const failure = await new Promise<string | undefined>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? `code ${code}`}`));
  });
  if (failure === undefined) return output;
  throw new EmbeddedError("COMMAND_FAILED", `${command} ${args.join(" ")}: ${failure}\n${messages || output}`.trim());
}

/** Where a shell would find the program, or undefined. */
export function findOnPath(name: string, path: string = process.env["PATH"] ?? ""): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => resolve(folder, name))
    .find(isProgram);
}

export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    // Not there, or not for us: either way it is no program that we can run.
    return false;
  }
}
