import type { LogError } from "../server/message-of.ts";
import { Follow } from "../streams/follow.ts";
import { followFrameWire } from "../streams/follow-wire.ts";
import type { GatewayStream } from "../streams/exposures.ts";
import type { StreamCounts } from "../streams/stream-counts.ts";
import type { Session } from "./session.ts";

/** What a client calls something that it follows: a number, or else the stream's name. */
export interface FollowAddress {
  readonly stream: string;
  readonly sub?: number | undefined;
}

interface Held extends FollowAddress {
  readonly follow: Follow;
}

interface Beginning extends FollowAddress {
  readonly after: string;
  readonly key: string | undefined;
}

/** Which streams each session follows. */
export class FollowDesk {
  readonly #counts: StreamCounts;
  readonly #logError: LogError;
  readonly #sessions = new Map<Session, Map<string | number, Held>>();

  constructor(counts: StreamCounts, logError: LogError) {
    this.#counts = counts;
    this.#logError = logError;
  }

  has(session: Session, { stream, sub }: FollowAddress): boolean {
    return this.#sessions.get(session)?.has(sub ?? stream) ?? false;
  }

  countOf(session: Session): number {
    return this.#sessions.get(session)?.size ?? 0;
  }

  /** What a session follows at the moment. */
  followsOf(session: Session): FollowAddress[] {
    return [...(this.#sessions.get(session)?.values() ?? [])];
  }

  begin(session: Session, stream: GatewayStream, { sub, after, key }: Beginning): void {
    const address = { stream: stream.name, sub };
    const follow = new Follow({
      stream,
      after,
      key,
      receiver: session,
      wire: followFrameWire(stream.name, sub),
      counts: this.#counts,
      onEnd: (code) => this.end(session, address, code),
      logError: this.#logError,
    });
    const held = this.#sessions.get(session) ?? new Map<string | number, Held>();
    this.#sessions.set(session, held);
    held.set(sub ?? stream.name, { ...address, follow });
  }

  /** Tells the client where it ended: `code` is null when the client wished it. */
  end(session: Session, { stream, sub }: FollowAddress, code: string | null): void {
    const held = this.#sessions.get(session);
    const follow = held?.get(sub ?? stream)?.follow;
    follow?.stop();
    held?.delete(sub ?? stream);
    if (held?.size === 0) this.#sessions.delete(session);
    session.send({ type: "unfollowed", stream, sub, code, after: follow?.place ?? null });
  }

  /** Its connection has closed. */
  forget(session: Session): void {
    for (const { follow } of this.#sessions.get(session)?.values() ?? []) follow.stop();
    this.#sessions.delete(session);
  }
}
