import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { EmbeddedError } from "../errors.ts";
import type { Environment } from "./command.ts";
import { guardScript } from "./guard-script.ts";
import type { Identity } from "./identity.ts";
import { signalIfThere } from "./signals.ts";
import { keepingAwake } from "./waiting.ts";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Environment;
  /** What stops the program when our process is gone. */
  readonly stopSignal: "KILL" | "QUIT" | "TERM";
}

/** Where programs run that must not outlive us. */
export interface GuardedFolder {
  /** Is made when it is not there. */
  readonly folder: string;
  /** Whether the folder goes when the program does. */
  readonly removeFolder: boolean;
  readonly logFile: string;
  readonly identity: Identity;
  /** Writes what the programs need to find in the folder, once it is there. */
  readonly prepare: () => void;
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

  /** Starts the program. Throws START_FAILED when there is no shell to start it with, or no folder can be made. */
  static async start(place: GuardedFolder, program: Program): Promise<Guard> {
    const shell = spawnGuard(place, program);
    const reports = pipe(shell, 3);
    const lifeline = pipe(shell, 4);
    const presence = pipe(shell, 5);
    shell.unref();
    for (const socket of [reports, lifeline, presence]) socket.unref();
    // A shell that cannot be started, or that somebody killed, ends the reports, and that is where it is noticed.
    shell.on("error", () => undefined);
    lifeline.on("error", () => undefined);

    const lastOneGone = new Promise<void>((resolve) => presence.on("close", resolve).resume());
    const { ready, pid, exit } = readReports(reports);
    await keepingAwake(ready);
    try {
      place.prepare();
    } catch (error) {
      lifeline.destroy();
      throw error;
    }
    lifeline.write("go\n");
    const serverPid = await keepingAwake(pid);
    const exitCode = exit.then((code) => {
      // Without a code somebody killed the guard itself. Its server is not to run unguarded.
      if (code === undefined) signalIfThere(serverPid, "SIGKILL");
      return code ?? 137;
    });
    const ended = Promise.all([exitCode, lastOneGone]).then(([code]) => code);
    return new Guard(shell, lifeline, serverPid, ended);
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) signalIfThere(this.pid, signal);
  }

  /** Ends the guard but leaves the folder alone: a next guard has it. Only after the program has ended. */
  dismiss(): void {
    this.#lifeline.end("dismiss\n");
  }

  /** Ends the guard, and with it the program, if it still runs, and the folder, unless it should be kept. */
  async release(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) resolve();
      else this.#shell.on("exit", () => resolve());
    });
    this.#lifeline.destroy();
    await keepingAwake(Promise.all([gone, this.ended]));
  }
}

function spawnGuard(place: GuardedFolder, program: Program): ChildProcess {
  const fate = place.removeFolder ? "remove" : "keep";
  const guardArgs = ["keyline-guard", place.folder, fate, program.stopSignal, place.logFile, program.command, ...program.args];
  return spawn("/bin/sh", ["-c", guardScript, ...guardArgs], {
    cwd: "/",
    detached: true,
    env: { ...process.env, ...program.env },
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe", "pipe"],
    ...place.identity.ids,
  });
}

function pipe(shell: ChildProcess, descriptor: number): Socket {
  const stream: unknown = shell.stdio[descriptor];
  if (stream instanceof Socket) return stream;
  throw new EmbeddedError("START_FAILED", "/bin/sh could not be started");
}

interface Reports {
  readonly ready: Promise<void>;
  readonly pid: Promise<number>;
  /** Undefined when the reports end without it. */
  readonly exit: Promise<number | undefined>;
}

function readReports(reports: Socket): Reports {
  const lines = createInterface({ input: reports });
  const lineOf = (what: string): Promise<string | undefined> =>
    new Promise((resolve) => {
      lines.on("line", (line) => {
        if (line.startsWith(what)) resolve(line.slice(what.length));
      });
      lines.on("close", () => resolve(undefined));
    });
  const expected = (line: string | undefined): string => {
    if (line !== undefined) return line;
    throw new EmbeddedError("START_FAILED", "The shell that guards the server could not make its folder, or was killed");
  };
  const pid = lineOf("pid ").then((line) => Number(expected(line)));
  // Whoever waits for "ready" is told first.
  pid.catch(() => undefined);
  return {
    ready: lineOf("ready").then((line) => void expected(line)),
    pid,
    exit: lineOf("exit ").then((line) => (line === undefined ? undefined : Number(line))),
  };
}

async function keepingNote<T>(wait: Promise<T>, note: () => void): Promise<T> {
  const value = await wait;
  note();
  return value;
}
