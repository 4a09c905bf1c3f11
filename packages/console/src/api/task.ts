import { z } from "zod";
import { time } from "./basics.ts";

export const taskState = z.enum(["running", "done", "stopped", "failed"]);

/** An act on many that goes on in the console's process. */
export const task = z.object({
  id: z.string(),
  act: z.enum(["redrive", "discard"]),
  /** As in the audit trail: `queue:NAME`, `stream:NAME/GROUP`. */
  target: z.string(),
  who: z.string(),
  state: taskState,
  done: z.number(),
  /** How many fitted when it began; null where that is not known. */
  total: z.number().nullable(),
  startedAt: time,
  endedAt: time.nullable(),
  error: z.string().nullable(),
});
/** `GET tasks/:id`; `POST tasks/:id/stop` answers with it too. */
export type Task = z.infer<typeof task>;

/** `GET tasks`, and the topic `tasks`: the newest first; those that have ended are kept for an hour. */
export const tasksView = z.object({ tasks: z.array(task) });
export type TasksView = z.infer<typeof tasksView>;
