import type { HandlerContext, Job } from "keyline";

export interface LateData {
  readonly do: "forget" | "keep" | "use kept" | "forget kept" | "step kept";
}

type Kept = HandlerContext & { readonly job: Job<LateData> };

/** What a job was given whose attempt is over. */
let kept: Kept | undefined;

/** Does not wait for what it calls, or calls what belongs to a job that was here before. */
export async function handler(job: Job<LateData>, { settle, step }: HandlerContext): Promise<unknown> {
  const insert = (n: number) => ({ text: "INSERT INTO effects VALUES ($1, $2)", values: [job.queue, n] });
  switch (job.data.do) {
    case "forget":
      void settle(async (tx) => {
        await tx.query(insert(1).text, insert(1).values);
        await tx.query("SELECT pg_sleep(0.05)");
        await tx.query(insert(2).text, insert(2).values);
        return "both";
      });
      return undefined;
    case "keep":
      kept = { job, settle, step };
      return "kept";
    case "use kept":
      return codeOf(kept?.settle((tx) => tx.query(insert(3).text, insert(3).values)));
    case "forget kept":
      void kept?.settle((tx) => tx.query(insert(3).text, insert(3).values));
      await new Promise((resolve) => setTimeout(resolve, 100));
      return "not disturbed";
    case "step kept": {
      void kept?.job.progress("of another one");
      const codes = [await codeOf(kept?.step("late", (tx) => tx.query(insert(4).text, insert(4).values)))];
      codes.push(await codeOf(kept?.job.sleep("late", 60_000)));
      return codes;
    }
  }
}

async function codeOf(call: Promise<unknown> | undefined): Promise<unknown> {
  try {
    await call;
    return "it was done";
  } catch (error) {
    return (error as { readonly code?: unknown }).code;
  }
}
