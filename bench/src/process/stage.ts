import type { Count } from "./headway.ts";

/** How a task tells the bench which part of it counts. */
export interface Stage<Result> {
  /**
   * Waits until the bench has read its meters, runs `work`, reports its result, and waits again until the meters
   * were read, so that neither warm-up nor tear-down is charged to a job.
   */
  readonly measure: (work: () => Promise<Result>) => Promise<Result>;
  /** Instead of `measure`, for a server: tells the bench its address, and answers readings until it is dismissed. */
  readonly serve: (url: string) => Promise<void>;
}

/** What a server's process takes, as it knows itself. */
export interface ProcessReading {
  readonly cpuUs: number;
  readonly residentBytes: number;
}

/**
 * One thing that a contender does in a process of its own. What it returns after the measured part is for the
 * bench to check.
 */
export type Task<Params, Result, Aftermath> = (params: Params, stage: Stage<Result>) => Promise<Aftermath>;

/** From the bench to a contender's process. */
export type Order =
  | { readonly order: "perform"; readonly task: string; readonly params: unknown }
  | { readonly order: "go" }
  | { readonly order: "read"; readonly collectsGarbage: boolean }
  | { readonly order: "dismiss" };

/** From a contender's process to the bench. */
export type Report =
  | { readonly report: "ready" }
  | { readonly report: "serving"; readonly url: string }
  | { readonly report: "reading"; readonly reading: ProcessReading }
  | { readonly report: "done"; readonly result: unknown; readonly clientCpuUs: number }
  /** Beside the others, whenever counts that are waited for have moved. */
  | { readonly report: "headway"; readonly counts: readonly Count[] }
  | { readonly report: "closed"; readonly aftermath: unknown }
  | { readonly report: "failed"; readonly reason: string };
