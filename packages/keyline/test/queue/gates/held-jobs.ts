import type { Queue } from "keyline";

/** A worker whose jobs run until they are told to end. */
export interface HeldJobs {
  /** The data of what has begun, in that order. */
  readonly began: readonly string[];
  end(data: string): void;
  /** All that runs ends, and all that begins. */
  stop(): Promise<void>;
}

export function holdJobs(queue: Queue<string>, concurrency = 20): HeldJobs {
  const ends = new Map<string, () => void>();
  const began: string[] = [];
  let isStopping = false;
  const worker = queue.work(
    async ({ data }) => {
      began.push(data);
      if (!isStopping) await new Promise<void>((resolve) => ends.set(data, resolve));
    },
    { concurrency },
  );
  // What is refused on purpose.
  worker.on("error", () => undefined);
  return {
    began,
    end: (data) => ends.get(data)?.(),
    stop: async () => {
      isStopping = true;
      for (const end of ends.values()) end();
      await worker.stop();
    },
  };
}
