import { threadId } from "node:worker_threads";
import type { SettlingHandler } from "keyline";

export interface LastingData {
  readonly do: "loop" | "where" | "progress";
  /** Of `where`: so long it takes. */
  readonly ms?: number;
}

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const handler: SettlingHandler<LastingData> = async (job) => {
  switch (job.data.do) {
    case "loop":
      if (job.attempt > 1) return "once";
      void job.progress("loops");
      // What it says must have left before it says nothing any more.
      await rest(200);
      for (;;);
    case "where":
      await rest(job.data.ms ?? 0);
      return `${process.pid} ${threadId}`;
    case "progress":
      void job.progress({ done: 5, of: 10 });
      return new Promise((_, reject) => job.signal.addEventListener("abort", () => reject(job.signal.reason as Error)));
  }
};
