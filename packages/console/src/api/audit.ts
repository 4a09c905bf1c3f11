import { z } from "zod";
import { next, pageQuery, time } from "./basics.ts";

export const auditEntry = z.object({
  id: z.string(),
  at: time,
  who: z.string(),
  /** `redrive`, `discard`, `cancel`, `pause`, ... */
  action: z.string(),
  /** `queue:NAME`, `queue:NAME/JOB`, `queue:NAME/schedule:SCHEDULE`, `stream:NAME/GROUP`, `channel:NAME`. */
  target: z.string(),
  details: z.unknown(),
  /** How many it acted on; null as long as it goes on, or where its process died. */
  count: z.number().nullable(),
  error: z.string().nullable(),
});
export type AuditEntry = z.infer<typeof auditEntry>;

export const auditQuery = z.object({ ...pageQuery, target: z.string().min(1).max(500).optional() });

/** `GET audit?target&cursor&limit`: the newest first. */
export const auditPage = z.object({ entries: z.array(auditEntry), next });
export type AuditPage = z.infer<typeof auditPage>;
