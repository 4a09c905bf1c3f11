import { writeFileSync } from "node:fs";
import type { SettlingHandler } from "keyline";

type Data = { readonly do: "wait" | "loop" | "hoard" | "number"; readonly n?: number; readonly file?: string };

/** Says in which process it runs, and does not come to its end, the first time. */
export const handler: SettlingHandler<Data> = async (job) => {
  if (job.data.do === "number") {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return job.data.n;
  }
  if (job.attempt > 1) return "once";
  void job.progress(process.pid);
  // What it says must have left before it says nothing any more.
  await new Promise((resolve) => setTimeout(resolve, 200));
  if (job.data.file !== undefined) writeFileSync(job.data.file, "");
  if (job.data.do === "loop") for (;;);
  const hoard: number[][] = [];
  while (job.data.do === "hoard") hoard.push(Array.from({ length: 100_000 }, (_, n) => n));
  return new Promise((resolve) => setTimeout(resolve, 600_000));
};
