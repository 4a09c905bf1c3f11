import { z } from "zod";

const channel = z.string();

/** What a client may send: the whole protocol is in docs of this package's README. */
export const clientFrame = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("token"), token: z.string() }),
  z.strictObject({ type: z.literal("subscribe"), channel, since: z.string().nullish() }),
  z.strictObject({ type: z.literal("unsubscribe"), channel }),
  z.strictObject({
    type: z.literal("publish"),
    channel,
    data: z.unknown().refine((data) => data !== undefined, "is missing"),
    ref: z.union([z.number(), z.string().max(100)]).optional(),
  }),
  z.strictObject({ type: z.literal("enter"), channel, info: z.unknown().optional() }),
  z.strictObject({ type: z.literal("leave"), channel }),
  z.strictObject({ type: z.literal("watch"), channel }),
  z.strictObject({ type: z.literal("unwatch"), channel }),
  z.strictObject({ type: z.literal("ping") }),
]);

export type ClientFrame = z.output<typeof clientFrame>;
export type FrameOf<Type extends ClientFrame["type"]> = Extract<ClientFrame, { readonly type: Type }>;
