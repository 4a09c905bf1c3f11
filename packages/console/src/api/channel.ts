import { z } from "zod";
import { next, pageQuery, payload, problem, time } from "./basics.ts";
import { stores } from "./health.ts";
import { sparkPoint } from "./overview.ts";

/** `GET channels/:channel`, and with `messages` the topic `channel:NAME`. */
export const channelView = z.object({
  at: time,
  stores,
  name: z.string(),
  hasHistory: z.boolean(),
  /** Connections that listen to this very channel, one for each process; null where that is not known. Who listens by a pattern is not among them. */
  subscriptions: z.number().nullable(),
  /** A minute, over the last five that are over. */
  rates: z.object({ published: z.number(), received: z.number() }).nullable(),
  spark: z.array(sparkPoint),
  /** Who is here: the first 200. */
  presence: z
    .object({
      members: z.array(z.object({ member: z.string(), since: time, info: z.unknown() })),
      total: z.number(),
    })
    .nullable(),
  problems: z.array(problem),
});
export type ChannelView = z.infer<typeof channelView>;

export const messageRow = z.object({ id: z.string(), at: time, payload });
export type MessageRow = z.infer<typeof messageRow>;

export const historyQuery = z.object(pageQuery);
/** `GET channels/:channel/history?cursor&limit`: the newest, oldest first; with a cursor those before it. 400 without a history. */
export const historyPage = z.object({ messages: z.array(messageRow), next });
export type HistoryPage = z.infer<typeof historyPage>;

/** `POST channels/:channel/publish`. Answers `{ id, receivers }`. */
export const publishBody = z.strictObject({ data: z.unknown() });
export const publishAnswer = z.object({ id: z.string(), receivers: z.number().nullable() });
