import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { EmbeddedError } from "../errors.ts";
import type { Environment } from "./command.ts";
import { guardScript } from "./guard-script.ts";
import type { Identity } from "./identity.ts";
import { keepingAwake } from "./waiting.ts";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Environment;
}

/** Where programs run that must not outlive us. */
export interface GuardedFolder {
  readonly folder: string;
  /** Whether the folder goes when the program does. */
  readonly removeFolder: boolean;
  /** What stops the program when our process is gone. */
  readonly stopSignal: "KILL" | "QUIT";
  readonly logFile: string;
  readonly identity: Identity;
}

/** A running server that cannot outlive our process; see guard-script.ts for how. */
export class Guard {
  readonly pid: number;
  /** Resolves when the program and all its children are gone, with the program's exit code as the shell sees it. */
  readonly ended: Promise<number>;
  readonly #shell: ChildProcess;
  readonly #lifeline: Socket;
  #hasEnded = false;

  private constructor(shell: ChildProcess, lifeline: Socket, pid: number, ended: Promise<number>) {
    this.#shell = shell;
    this.#lifeline = lifeline;
    this.pid = pid;
    this.ended = keepingNote(ended, () => (this.#hasEnded = true));
  }

  /** Starts the program. Throws START_FAILED when there is no shell to start it with. */
  static async start(place: GuardedFolder, program: Program): Promise<Guard> {
    const log = openSync(place.logFile, "a", 0o600);
    const shell = spawnGuard(place, program, log);
    closeSync(log);
    const reports = pipe(shell, 3);
    const lifeline = pipe(shell, 4);
    const presence = pipe(shell, 5);
    shell.unref();
    for (const socket of [reports, lifeline, presence]) socket.unref();
    // A shell that cannot be started, or that somebody killed, ends the reports, and that is where it is noticed.
    shell.on("error", () => undefined);
    lifeline.on("error", () => undefined);

    const lastOneGone = new Promise<void>((resolve) => presence.on("close", resolve).resume());
    const { pid, exit } = readReports(reports);
    const ended = Promise.all([exit, lastOneGone]).then(([code]) => code);
    return new Guard(shell, lifeline, await keepingAwake(pid), ended);
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) process.kill(this.pid, signal);
  }

  /** Ends the guard but leaves the folder alone: a next guard has it. Only after the program has ended. */
  dismiss(): void {
    this.#lifeline.end("dismiss\n");
  }

  /** Ends the guard, and with it the program, if it still runs, and the folder, if it is not to be kept. */
  async release(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) resolve();
      else this.#shell.on("exit", () => resolve());
    });
    this.#lifeline.destroy();
    await keepingAwake(Promise.all([gone, this.ended]));
  }
}

function spawnGuard(place: GuardedFolder, program: Program, log: number): ChildProcess {
  const fate = place.removeFolder ? "remove" : "keep";
  const guardArgs = ["keyline-guard", place.folder, fate, place.stopSignal, program.command, ...program.args];
  return spawn("/bin/sh", ["-c", guardScript, ...guardArgs], {
    cwd: "/",
    detached: true,
    env: { ...process.env, ...program.env },
    stdio: ["ignore", log, log, "pipe", "pipe", "pipe"],
    ...place.identity.ids,
  });
}

function pipe(shell: ChildProcess, descriptor: number): Socket {
  const stream: unknown = shell.stdio[descriptor];
  if (stream instanceof Socket) return stream;
  throw new EmbeddedError("START_FAILED", "/bin/sh could not be started");
}

function readReports(reports: Socket): { pid: Promise<number>; exit: Promise<number> } {
  const lines = createInterface({ input: reports });
  const valueOf = (what: string): Promise<number> =>
    new Promise((resolve, reject) => {
      lines.on("line", (line) => {
        if (line.startsWith(`${what} `)) resolve(Number(line.slice(what.length)));
      });
      lines.on("close", () => reject(new EmbeddedError("START_FAILED", `The shell that guards the server ended without its "${what}"`)));
    });
  // Somebody killed the guard itself: the server is no child of ours any more, and its end is known by the presence pipe alone.
  return { pid: valueOf("pid"), exit: valueOf("exit").catch(() => 137) };
}

async function keepingNote<T>(wait: Promise<T>, note: () => void): Promise<T> {
  const value = await wait;
  note();
  return value;
}
