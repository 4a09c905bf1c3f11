import type { Environment } from "../runtime/environment.ts";
import { EventLink } from "./event-link.ts";
import type { ServerFrame } from "./frames.ts";
import type { Passage } from "./passage.ts";
import type { SocketLink } from "./socket-link.ts";

interface StandInParts {
  readonly passage: Passage;
  readonly environment: Environment;
  /** Tries a WebSocket, and resolves when it has greeted or ended. */
  tryOut(): Promise<SocketLink | undefined>;
  onFrame(frame: ServerFrame): void;
}

/** Event streams in place of a WebSocket, until one gets through: it is tried now and then, and when the network or the page comes back. */
export function openStandIn({ passage, environment, tryOut, onFrame }: StandInParts): EventLink {
  let isTrying = false;
  let cancel: (() => void) | undefined;
  const wait = (): void => {
    cancel = environment.after(passage.restMs, () => void tryBack());
  };
  const tryBack = async (): Promise<void> => {
    if (isTrying) return;
    isTrying = true;
    cancel?.();
    const socket = await tryOut();
    const isGreeted = socket?.isGreeted ?? false;
    socket?.end(1000);
    await passage.note(isGreeted);
    isTrying = false;
    if (link.isEnded) return;
    if (isGreeted) link.end(1012, 0);
    else if (await passage.isAnswered()) wait();
    else link.end(1006);
  };
  const link = new EventLink({ url: passage.url, environment, onFrame, onProbe: () => void tryBack() });
  void link.ended.then(() => cancel?.());
  wait();
  return link;
}
