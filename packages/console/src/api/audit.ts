import { z } from "zod";
import { next, pageQuery, time } from "./basics.ts";

export const auditEntry = z.object({
  id: z.string(),
  at: time,
  who: z.string(),
  /** `redrive`, `discard`, `cancel`, `pause`, ... */
  action: z.string(),
  /** `queue:NAME`, `stream:NAME`, `channel:NAME`. */
  target: z.string(),
  /** Which `job`, `schedule` or `group` of it, and what was asked for. */
  details: z.unknown(),
  /** How many it was done to; before it ended, how many it was meant for. */
  count: z.number().nullable(),
  error: z.string().nullable(),
  /** Null while it is under way, and where its process died. */
  finishedAt: time.nullable(),
});
export type AuditEntry = z.infer<typeof auditEntry>;

export const auditQuery = z.object({ ...pageQuery, target: z.string().min(1).max(200).optional() });

/** `GET audit?target&cursor&limit`: the newest first. */
export const auditPage = z.object({ entries: z.array(auditEntry), next });
export type AuditPage = z.infer<typeof auditPage>;
