import { Problem } from "../../server/problem.ts";
import type { Session } from "../session.ts";
import type { HandlerParts } from "./frame-handler.ts";

/** Throws a 429 problem where a connection has as much as it may have. */
export function checkRoom(session: Session, { mostChannels, presence, follows }: HandlerParts): void {
  if (session.subscriptions.size + presence.countOf(session) + follows.countOf(session) < mostChannels) return;
  throw new Problem({
    title: `More than ${mostChannels} subscriptions, streams, watches and stays`,
    status: 429,
    code: "TOO_MANY_CHANNELS",
  });
}
