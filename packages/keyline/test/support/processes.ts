import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export type Line = Readonly<Record<string, unknown>>;

/** A process of a test: what it printed, and how to end it. */
export interface TestProcess {
  readonly child: ChildProcess;
  readonly lines: Line[];
  readonly exited: Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

/** Starts `script` of this folder with Node, which may have options of its own, and the settings as its argument. */
export function startProcess(script: string, settings: object, nodeOptions: readonly string[] = []): TestProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, ["--conditions=development", ...nodeOptions, path, JSON.stringify(settings)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: Line[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(JSON.parse(line) as Line));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return { child, lines, exited, signal: (signal) => void child.kill(signal) };
}

/** The same random numbers for the same seed, so that a schedule of faults can be had again. Algorithm: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}
