import type { AddOptions, Keyline, Queue } from "keyline";
import { insist } from "./insist.ts";
import type { Op } from "./operations.ts";

interface On<Data> {
  readonly keyline: Keyline;
  readonly queue: Queue<Data>;
  readonly transactional: boolean;
}

/** Adds these jobs, each with an id of its own, so that a caller who does not know what became of an add can ask again. Returns whether they are there: what is rolled back never is. */
export async function addJobs<Data>(
  jobs: readonly ({ readonly data: Data } & AddOptions)[],
  how: Extract<Op, { kind: "add" }>["how"],
  { keyline, queue, transactional }: On<Data>,
): Promise<boolean> {
  if (how === "one by one") {
    for (const { data, ...options } of jobs) await insist(() => queue.add(data, options));
    return true;
  }
  if (how === "together" || !transactional) {
    await insist(() => queue.addMany(jobs));
    return true;
  }
  const rollBack = new Error("rolled back");
  await insist(async () => {
    const added = keyline.transaction(async (tx) => {
      await queue.addMany(jobs, { tx });
      if (how === "rolled back") throw rollBack;
    });
    await added.catch((error: unknown) => {
      if (error !== rollBack) throw error;
    });
  });
  return how === "within";
}
