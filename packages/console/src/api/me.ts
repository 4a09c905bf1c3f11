import { z } from "zod";

export const role = z.enum(["operator", "viewer"]);
export type Role = z.infer<typeof role>;

/** `GET me` */
export const me = z.object({
  role,
  /** The `sub` of the token; `loopback` where no token is asked for. */
  who: z.string(),
  /** When the token ends; null without one. */
  expiresAt: z.number().nullable(),
  title: z.string(),
  /** Names and paths of fields that are hidden. */
  redacted: z.array(z.string()),
  hasPostgres: z.boolean(),
});
export type Me = z.infer<typeof me>;
