import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./stage.ts";

const ownEntry = fileURLToPath(new URL("contender-process.ts", import.meta.url));
const silenceLimitMs = 180_000;

/** The bench's end of the channel to a contender's process. */
export class Child {
  readonly #process: ChildProcess;
  readonly #reports: Report[] = [];
  #output = "";
  #wake: () => void = () => {};

  constructor(entry = ownEntry) {
    this.#process = fork(entry, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.#output = (this.#output + chunk.toString()).slice(-4_000)));
    }
    this.#process.on("message", (report: Report) => this.#receive(report));
    this.#process.on("error", (error) => this.#receive({ report: "failed", reason: error.message }));
    this.#process.on("exit", (code, signal) =>
      this.#receive({ report: "failed", reason: `The process ended early (${signal ?? code}).\n${this.#output}` }),
    );
  }

  order(order: Order): void {
    this.#process.send(order);
  }

  /** Resolves with the next report if it is the expected one; otherwise the process is killed and this throws. */
  async next<Kind extends Report["report"]>(expected: Kind): Promise<Extract<Report, { report: Kind }>> {
    const report = await this.#nextReport();
    if (isReport(report, expected)) return report;
    this.#process.kill("SIGKILL");
    throw new Error(report.report === "failed" ? report.reason : `Got the report ${report.report}, not ${expected}.`);
  }

  /** Hangs up, at which the process ends. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    if (this.#process.connected) this.#process.disconnect();
    await ended;
  }

  #receive(report: Report): void {
    this.#reports.push(report);
    this.#wake();
  }

  async #nextReport(): Promise<Report> {
    const silence = setTimeout(
      () => this.#receive({ report: "failed", reason: `No report for ${silenceLimitMs / 1_000} s.` }),
      silenceLimitMs,
    );
    try {
      for (;;) {
        const report = this.#reports.shift();
        if (report) return report;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(silence);
    }
  }
}

function isReport<Kind extends Report["report"]>(report: Report, kind: Kind): report is Extract<Report, { report: Kind }> {
  return report.report === kind;
}
