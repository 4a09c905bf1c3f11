import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { WorkerState } from "../snapshot.ts";
import { ToServer, type OrderStep, type ToWorker } from "./worker-protocol.ts";

const program = fileURLToPath(new URL("./worker-process.ts", import.meta.url));
// Longer than a worker takes to give up by itself.
const stopTimeoutMs = 12_000;

export interface WorkerChildEvents {
  step(step: OrderStep): void;
  changed(): void;
  /** The process has ended, and how: `stopping` means that it was asked to. */
  ended(state: WorkerState): void;
}

/** One worker process. */
export class WorkerChild {
  readonly workerId: number;
  readonly #process: ChildProcess;
  readonly #events: WorkerChildEvents;
  readonly #ended: Promise<void>;
  #state: WorkerState = "starting";
  #processed = 0;
  #metricsPort: number | undefined;

  constructor(workerId: number, begin: Extract<ToWorker, { type: "begin" }>, events: WorkerChildEvents) {
    this.workerId = workerId;
    this.#events = events;
    this.#process = fork(program, [], {
      // Not the options of this process: a debugger's port, for one, is taken.
      execArgv: ["--conditions=development", "--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#process.on("message", (message) => this.#read(message));
    this.#process.on("error", (error) => console.error(`Worker ${workerId}: ${error.message}`));
    this.#ended = endOf(this.#process).then(() => this.#noteEnd());
    this.tell(begin);
  }

  get state(): WorkerState {
    return this.#state;
  }

  get processed(): number {
    return this.#processed;
  }

  /** Where it tells Prometheus what it does; undefined until it is ready. */
  get metricsPort(): number | undefined {
    return this.#metricsPort;
  }

  tell(message: ToWorker): void {
    // The process may have ended a moment ago, which its exit says.
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  /** Resolves when the worker has finished what it had, and its process is gone. */
  async stop(): Promise<void> {
    if (this.#state === "starting" || this.#state === "ready") {
      this.#state = "stopping";
      this.tell({ type: "stop" });
      this.#events.changed();
    }
    const deadline = setTimeout(() => this.#process.kill("SIGKILL"), stopTimeoutMs);
    await this.#ended;
    clearTimeout(deadline);
  }

  kill(): void {
    this.#state = "killed";
    this.#process.kill("SIGKILL");
    this.#events.changed();
  }

  #read(message: unknown): void {
    const said = ToServer.parse(message);
    if (said.type === "ready") {
      this.#metricsPort = said.metricsPort;
      if (this.#state === "starting") this.#state = "ready";
    } else {
      for (const step of said.steps) {
        if (step.kind === "processed") this.#processed++;
        this.#events.step(step);
      }
    }
    this.#events.changed();
  }

  #noteEnd(): void {
    const wasStopped = this.#state === "stopping" && this.#process.exitCode === 0;
    if (!wasStopped && this.#state !== "killed") this.#state = "failed";
    this.#events.ended(this.#state);
    this.#events.changed();
  }
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on("exit", () => resolve());
    // Without a process id none was started, and none will exit.
    child.on("error", () => child.pid === undefined && resolve());
  });
}
