import { Problem, toProblem } from "../../server/problem.ts";
import type { Session } from "../session.ts";
import type { FrameHandler, HandlerParts } from "./frame-handler.ts";

export const token: FrameHandler<"token"> = {
  // The first one belongs to the opening of the connection, which was counted; it is good, or ends the connection.
  counts: "not",
  handle: async ({ token: text, ref }, session, parts) => {
    const { access, requests } = parts;
    const { visitor } = session;
    // In development there is no key, and clients that have tokens show them all the same.
    if (!access.hasKey) {
      session.send({ type: "token", ref, expiresAt: null, expiresInMs: null });
      return;
    }
    if (visitor.token) requests.takeHere(session.key);
    const given = await access.verify(text);
    // Counts, presence and what it is subscribed to belong to somebody: somebody else has to connect again.
    if (visitor.token && visitor.token.subject !== given.subject) {
      throw new Problem({ title: "The token is of another subject than the one before", status: 403, code: "FORBIDDEN" });
    }
    session.renew({ ...visitor, token: given });
    const { expiresAt } = given;
    // Also as a duration: a browser's clock may be wrong by hours.
    session.send({ type: "token", ref, expiresAt, expiresInMs: expiresAt - Date.now() });
    await endWhatIsForbidden(session, parts);
  },
};

/** What the token of before allowed, and the one of now does not. */
async function endWhatIsForbidden(session: Session, { presence, channels, streams, follows, logError }: HandlerParts): Promise<void> {
  const { visitor } = session;
  for (const follow of follows.followsOf(session)) {
    const code = await refusalOf(streams.toRead(visitor, follow.stream), logError);
    if (code !== undefined && follows.has(session, follow)) follows.end(session, follow, code);
  }
  for (const subscription of session.subscriptions.values()) {
    const code = await refusalOf(channels.toRead(visitor, subscription.channel), logError);
    if (code !== undefined) session.release(subscription, code);
  }
  for (const channel of presence.watchesOf(session)) {
    const code = await refusalOf(channels.toAttend(visitor, channel), logError);
    if (code === undefined) continue;
    presence.unwatch(session, channel);
    session.send({ type: "withdrawn", what: "watch", channel, code });
  }
  for (const channel of presence.staysOf(session)) {
    const code = await refusalOf(channels.toAttend(visitor, channel), logError);
    if (code === undefined) continue;
    await presence.leave(session, channel);
    session.send({ type: "withdrawn", what: "enter", channel, code });
  }
}

/** Undefined for what is allowed, and otherwise a code: one that passes where it is only that the application cannot say at the moment. */
async function refusalOf(exposure: Promise<unknown>, logError: HandlerParts["logError"]): Promise<string | undefined> {
  try {
    await exposure;
    return undefined;
  } catch (error) {
    const { status, code } = toProblem(error).body;
    if (status < 500) return "FORBIDDEN";
    logError(error, "what a renewed token allows was not found out");
    return code;
  }
}
