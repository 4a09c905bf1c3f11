import { readFileSync, statSync } from "node:fs";
import { EmbeddedError } from "../errors.ts";
import { Guard, type GuardedFolder, type Program } from "./guard.ts";
import { removeFolder } from "./private-folder.ts";
import { delay, endsWithin, keepingAwake } from "./waiting.ts";

export interface Readiness {
  readonly isReady: () => Promise<boolean>;
  readonly timeoutMs: number;
}

/** One server in one folder, over all its restarts. At every moment some guard answers for the folder. */
export class ServerProcess {
  readonly #place: GuardedFolder;
  #guard: Guard | undefined;
  #logStart = 0;
  #isReleased = false;

  constructor(place: GuardedFolder) {
    this.#place = place;
  }

  get isRunning(): boolean {
    return this.#guard?.isRunning ?? false;
  }

  /** Process id of the server that runs, or of the last one that ran. */
  get pid(): number {
    return this.#guard?.pid ?? 0;
  }

  /** Runs a program that ends by itself, such as one that prepares the folder. Throws START_FAILED when it fails. */
  async run(program: Program): Promise<void> {
    const guard = await this.#launch(program);
    if ((await keepingAwake(guard.ended)) !== 0) throw this.#startFailure(program, "failed");
  }

  /** Starts the server and waits until `isReady` says so. Throws PORT_IN_USE or START_FAILED; the folder stays until `release`. */
  async start(program: Program, { isReady, timeoutMs }: Readiness): Promise<void> {
    await this.#launch(program);
    const deadline = performance.now() + timeoutMs;
    while (!(await isReady())) {
      if (!this.isRunning) throw this.#startFailure(program, "ended at once");
      if (performance.now() > deadline) throw this.#startFailure(program, `was not ready within ${timeoutMs} ms`);
      await delay(10);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#guard?.signal(signal);
  }

  /** Signals the server and waits until it and its children are gone; after `graceMs` it is killed. */
  async halt(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    const guard = this.#guard;
    if (!guard?.isRunning) return;
    guard.signal(signal);
    guard.signal("SIGCONT");
    if (!(await endsWithin(guard.ended, graceMs))) guard.signal("SIGKILL");
    await keepingAwake(guard.ended);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    if (this.#guard) await keepingAwake(this.#guard.ended);
  }

  /** Ends everything: no server, and no folder unless it should be kept. */
  async release(): Promise<void> {
    this.#isReleased = true;
    if (this.#guard) await this.#guard.release();
    // Usually the guard has done that.
    if (this.#place.removeFolder) removeFolder(this.#place.folder);
  }

  async #launch(program: Program): Promise<Guard> {
    if (this.#isReleased) throw new EmbeddedError("STOPPED", "This server is stopped for good: start a new one");
    if (this.isRunning) throw new EmbeddedError("START_FAILED", "This server runs already");
    this.#logStart = statSync(this.#place.logFile, { throwIfNoEntry: false })?.size ?? 0;
    const previous = this.#guard;
    // The folder is prepared for the first program alone: servers change their files.
    this.#guard = await Guard.start(previous ? { ...this.#place, prepare: () => undefined } : this.#place, program);
    previous?.dismiss();
    return this.#guard;
  }

  #startFailure(program: Program, what: string): EmbeddedError {
    const log = readFileSync(this.#place.logFile, { flag: "a+" }).subarray(this.#logStart).toString("utf8").trim();
    const code = /address already in use/i.test(log) ? "PORT_IN_USE" : "START_FAILED";
    return new EmbeddedError(code, `${program.command} ${what}:\n${log.slice(-2_000)}`);
  }
}
