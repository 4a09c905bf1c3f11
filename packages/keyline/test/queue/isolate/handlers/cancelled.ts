import { Valkey } from "iovalkey";
import { JobCancelledError, KeylineError, type Job } from "../../../../src/index.ts";

/** What a job is to do: wait until it is aborted, never come back from a loop, or end. */
export interface CancelledData {
  readonly do: "wait" | "loop" | "end";
  readonly valkey: string;
  /** The list in which it notes what it is told. */
  readonly notes: string;
}

/** `at` is the server's time in milliseconds. */
export interface CancelledNote {
  readonly what: "began" | "aborted";
  readonly at: number;
  readonly attempt: number;
  readonly reason?: { readonly code: string; readonly isKeylineError: boolean; readonly isCancelled: boolean; readonly job: unknown };
}

const script = `
  local time, note = redis.call('TIME'), cjson.decode(ARGV[1])
  note.at = time[1] * 1000 + math.floor(time[2] / 1000)
  return redis.call('RPUSH', KEYS[1], cjson.encode(note))
`;

/** Notes when it begins and when its signal is aborted, by the server's time. */
export async function handler({ data, attempt, signal }: Job<CancelledData>): Promise<void> {
  const valkey = new Valkey(data.valkey.replace("valkey:", "redis:"));
  const note = (said: Omit<CancelledNote, "at" | "attempt">): Promise<unknown> =>
    valkey.eval(script, 1, data.notes, JSON.stringify({ ...said, attempt }));
  try {
    await note({ what: "began" });
    if (data.do === "loop") for (;;);
    if (data.do === "end") return;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    const { code, id } = signal.reason as { readonly code: string; readonly id?: unknown };
    const isKeylineError = signal.reason instanceof KeylineError;
    await note({
      what: "aborted",
      reason: { code, isKeylineError, isCancelled: signal.reason instanceof JobCancelledError, job: id },
    });
    signal.throwIfAborted();
  } finally {
    valkey.disconnect();
  }
}
