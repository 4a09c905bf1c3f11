import { z } from "zod";
import { idempotencyKey } from "../streams/append.ts";

const channel = z.string();
const stream = z.string();
const data = z.unknown().refine((value) => value !== undefined, "is missing");
const key = z.string().min(1).max(500).nullish();
const name = z.int().min(0).optional();
/** Comes back with the answer. */
const ref = name;
/** What the client calls one of its subscriptions, or of the streams that it follows. */
const sub = name;

/** What a client may send: the README of this package has the whole protocol. */
export const clientFrame = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("token"), token: z.string(), ref }),
  z.strictObject({ type: z.literal("subscribe"), channel, sub, since: z.string().nullish() }),
  z.strictObject({ type: z.literal("unsubscribe"), channel, sub }),
  z.strictObject({ type: z.literal("publish"), channel, data, ref }),
  z.strictObject({ type: z.literal("enter"), channel, info: z.unknown().optional(), ref }),
  z.strictObject({ type: z.literal("leave"), channel, ref }),
  z.strictObject({ type: z.literal("watch"), channel, ref }),
  z.strictObject({ type: z.literal("unwatch"), channel, ref }),
  z.strictObject({ type: z.literal("follow"), stream, sub, after: z.union([z.string(), z.number()]).nullish(), key, ref }),
  z.strictObject({ type: z.literal("unfollow"), stream, sub }),
  z.strictObject({ type: z.literal("append"), stream, data, idempotencyKey, ref }),
  z.strictObject({ type: z.literal("ping") }),
]);

export type ClientFrame = z.output<typeof clientFrame>;

/** Every frame by its type. */
export type ClientFrames = { readonly [Type in ClientFrame["type"]]: Extract<ClientFrame, { readonly type: Type }> };
