/** How a task tells the bench which part of it counts. */
export interface Stage<Result> {
  /**
   * Waits until the bench has read its meters, runs `work`, reports its result, and waits again until the meters
   * were read, so that neither warm-up nor tear-down is charged to a job.
   */
  readonly measure: (work: () => Promise<Result>) => Promise<Result>;
}

/**
 * One thing that a contender does in a process of its own. What it returns after the measured part is for the
 * bench to check.
 */
export type Task<Params, Result, Aftermath> = (params: Params, stage: Stage<Result>) => Promise<Aftermath>;

/** From the bench to a contender's process. */
export type Order =
  { readonly order: "perform"; readonly task: string; readonly params: unknown } | { readonly order: "go" } | { readonly order: "dismiss" };

/** From a contender's process to the bench. */
export type Report =
  | { readonly report: "ready" }
  | { readonly report: "done"; readonly result: unknown; readonly clientCpuUs: number }
  | { readonly report: "closed"; readonly aftermath: unknown }
  | { readonly report: "failed"; readonly reason: string };
