import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { AftermathOf, ParamsOf, ResultOf, TaskName } from "../tasks/index.ts";
import type { Order, Report } from "./stage.ts";

const entry = fileURLToPath(new URL("contender-process.ts", import.meta.url));
const silenceLimitMs = 180_000;

export interface Outcome<Result> {
  readonly result: Result;
  readonly clientCpuUs: number;
}

/** The bench's side of a contender's process: started, made ready, run, dismissed. */
export class Contender<Name extends TaskName> {
  readonly #child: ChildProcess;
  readonly #reports: Report[] = [];
  readonly #who: string;
  #ready: Promise<void> | undefined;
  #output = "";
  #wake: () => void = () => {};

  private constructor(task: Name, params: ParamsOf<Name>) {
    this.#who = `task ${task}`;
    this.#child = fork(entry, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.#output = (this.#output + chunk.toString()).slice(-4_000)));
    }
    this.#child.on("message", (report: Report) => this.#receive(report));
    this.#child.on("error", (error) => this.#receive({ report: "failed", reason: error.message }));
    this.#child.on("exit", (code, signal) =>
      this.#receive({ report: "failed", reason: `The process ended early (${signal ?? code}).\n${this.#output}` }),
    );
    this.#order({ order: "perform", task, params });
  }

  static start<Name extends TaskName>(task: Name, params: ParamsOf<Name>): Contender<Name> {
    return new Contender(task, params);
  }

  /** Resolves when connections are open, code is warm and the measured part can start at once. */
  ready(): Promise<void> {
    this.#ready ??= this.#next("ready").then(() => undefined);
    return this.#ready;
  }

  async run(): Promise<Outcome<ResultOf<Name>>> {
    this.#order({ order: "go" });
    const { result, clientCpuUs } = await this.#next("done");
    return { result: result as ResultOf<Name>, clientCpuUs };
  }

  /** Lets the process tear down and end; resolves with what the task found out after the measured part. */
  async dismiss(): Promise<AftermathOf<Name>> {
    this.#order({ order: "dismiss" });
    const { aftermath } = await this.#next("closed");
    if (this.#child.exitCode === null) await new Promise((resolve) => this.#child.once("exit", resolve));
    return aftermath as AftermathOf<Name>;
  }

  #order(order: Order): void {
    this.#child.send(order);
  }

  #receive(report: Report): void {
    this.#reports.push(report);
    this.#wake();
  }

  async #next<Kind extends Report["report"]>(expected: Kind): Promise<Extract<Report, { report: Kind }>> {
    const deadline = setTimeout(() => {
      this.#child.kill("SIGKILL");
      this.#receive({ report: "failed", reason: `No report for ${silenceLimitMs / 1_000} s.` });
    }, silenceLimitMs);
    try {
      while (this.#reports.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    } finally {
      clearTimeout(deadline);
    }
    const report = this.#reports.shift();
    if (report?.report === expected) return report as Extract<Report, { report: Kind }>;
    this.#child.kill("SIGKILL");
    const reason = report?.report === "failed" ? report.reason : `it reported ${report?.report}, not ${expected}`;
    throw new Error(`${this.#who}: ${reason}`);
  }
}
