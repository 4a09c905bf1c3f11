import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Count } from "./headway.ts";
import type { Order, Report } from "./stage.ts";

const ownEntry = fileURLToPath(new URL("contender-process.ts", import.meta.url));
const lastWordsMs = 10_000;

/** The bench's end of the channel to a contender's process. */
export class Child {
  readonly #process: ChildProcess;
  readonly #reports: Report[] = [];
  readonly #onReport: () => void;
  /** What it waits for, as it last said. */
  counts: readonly Count[] = [];
  #output = "";
  #wake: () => void = () => {};

  /** `onReport` hears of everything that comes from the process. */
  constructor(onReport: () => void, entry = ownEntry) {
    this.#onReport = onReport;
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
    if (this.#hasEnded) return;
    const ended = once(this.#process, "exit");
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), lastWordsMs);
    await ended;
    clearTimeout(timer);
  }

  /** Ends the process whatever it does. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  #receive(report: Report): void {
    this.#onReport();
    if (report.report === "headway") {
      this.counts = report.counts;
      return;
    }
    this.#reports.push(report);
    this.#wake();
  }

  async #nextReport(): Promise<Report> {
    for (;;) {
      const report = this.#reports.shift();
      if (report) return report;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function isReport<Kind extends Report["report"]>(report: Report, kind: Kind): report is Extract<Report, { report: Kind }> {
  return report.report === kind;
}
