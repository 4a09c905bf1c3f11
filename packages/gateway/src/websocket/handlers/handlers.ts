import type { ClientFrames } from "../client-frames.ts";
import type { Session } from "../session.ts";
import { append } from "./append.ts";
import { enter, watch } from "./attend.ts";
import { follow, unfollow } from "./follow.ts";
import type { FrameHandler, HandlerParts } from "./frame-handler.ts";
import { publish } from "./publish.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";
import { token } from "./token.ts";
import { leave, unwatch } from "./withdraw.ts";

/** A ping is answered out of its turn: it asks whether anybody is there. */
type Handled = Exclude<keyof ClientFrames, "ping">;

const handlers: { readonly [Type in Handled]: FrameHandler<Type> } = {
  token,
  subscribe,
  unsubscribe,
  publish,
  enter,
  leave,
  watch,
  unwatch,
  follow,
  unfollow,
  append,
};

interface Hearing<Type extends Handled> {
  readonly frame: ClientFrames[Type];
  readonly session: Session;
  readonly parts: HandlerParts;
}

/** Counts a frame, and does what it asks for. Throws the problem that the client is told. */
export async function handleFrame<Type extends Handled>(type: Type, { frame, session, parts }: Hearing<Type>): Promise<void> {
  const handler = handlers[type];
  if (handler.counts === "everywhere") await parts.requests.take(session.key);
  if (handler.counts === "here") parts.requests.takeHere(session.key);
  await handler.handle(frame, session, parts);
}
