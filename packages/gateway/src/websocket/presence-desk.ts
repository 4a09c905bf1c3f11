import type { LogError } from "../server/message-of.ts";
import type { Presence } from "keyline";
import type { ChannelExposure } from "../channels/exposures.ts";
import { Problem } from "../server/problem.ts";
import type { Session } from "./session.ts";

type Stay = Awaited<ReturnType<Presence["enter"]>>;
type Watch = Awaited<ReturnType<Presence["watch"]>>;

interface WatchedChannel {
  readonly watch: Promise<Watch>;
  readonly onlookers: Set<Session>;
  /** Those who have not been told who is there: they keep the watch open, and get no changes yet. */
  readonly arriving: Set<Session>;
}

/** Who is in which channel through this gateway, and who looks on: one watch of a channel serves all sessions. */
export class PresenceDesk {
  readonly #stays = new Map<Session, Map<string, Promise<Stay>>>();
  readonly #watches = new Map<Session, Set<string>>();
  readonly #watched = new Map<string, WatchedChannel>();
  readonly #logError: LogError;

  constructor(logError: LogError) {
    this.#logError = logError;
  }

  /** How much is remembered: nothing once everybody has gone. */
  get size(): number {
    return this.#stays.size + this.#watches.size + this.#watched.size;
  }

  /** How many channels a session is in, and watches. */
  countOf(session: Session): number {
    return (this.#stays.get(session)?.size ?? 0) + (this.#watches.get(session)?.size ?? 0);
  }

  /** The channels that a session is in. */
  staysOf(session: Session): string[] {
    return [...(this.#stays.get(session)?.keys() ?? [])];
  }

  /** The channels that a session watches. */
  watchesOf(session: Session): string[] {
    return [...(this.#watches.get(session) ?? [])];
  }

  async enter(session: Session, { name, presence }: ChannelExposure["channel"], info: unknown): Promise<void> {
    const member = session.visitor.token?.subject;
    if (member === undefined) throw new Problem({ title: "A member needs a name: connect with a token", status: 403, code: "FORBIDDEN" });
    const before = this.#stays.get(session)?.get(name);
    const stay = presence.enter(member, { info });
    this.#note(session, name, stay);
    try {
      await stay;
    } catch (error) {
      this.#note(session, name, before);
      throw error;
    } finally {
      // It closed meanwhile, and this stay is one that nobody ended.
      if (session.socket.destroyed) await this.leave(session, name);
    }
    // Only now, so that who says something new of itself is not seen to leave.
    await (await before)?.leave();
  }

  async leave(session: Session, channel: string): Promise<void> {
    const stay = this.#stays.get(session)?.get(channel);
    if (!stay) return;
    this.#note(session, channel, undefined);
    await (await stay).leave();
  }

  async watch(session: Session, { name, presence }: ChannelExposure["channel"], ref: number | undefined): Promise<void> {
    const watched = this.#watched.get(name) ?? this.#startWatch(name, presence);
    watched.arriving.add(session);
    this.#noteWatch(session, name, true);
    try {
      const { members } = await watched.watch;
      if (session.socket.destroyed) return;
      session.send({ type: "present", channel: name, ref, members: [...members.values()] });
      watched.onlookers.add(session);
    } finally {
      watched.arriving.delete(session);
      if (!watched.onlookers.has(session)) this.#noteWatch(session, name, false);
      this.#closeUnlessWatched(name, watched);
    }
  }

  unwatch(session: Session, channel: string): void {
    const watched = this.#watched.get(channel);
    if (!watched) return;
    watched.onlookers.delete(session);
    this.#noteWatch(session, channel, false);
    this.#closeUnlessWatched(channel, watched);
  }

  /** Its connection has closed. */
  forget(session: Session): void {
    for (const channel of this.staysOf(session)) {
      this.leave(session, channel).catch((error: unknown) => this.#logError(error, "a stay could not be ended", { channel }));
    }
    for (const channel of this.watchesOf(session)) this.unwatch(session, channel);
  }

  #note(session: Session, channel: string, stay: Promise<Stay> | undefined): void {
    const stays = this.#stays.get(session) ?? new Map<string, Promise<Stay>>();
    if (stay) stays.set(channel, stay);
    else stays.delete(channel);
    if (stays.size > 0) this.#stays.set(session, stays);
    else this.#stays.delete(session);
  }

  #noteWatch(session: Session, channel: string, isWatched: boolean): void {
    const channels = this.#watches.get(session) ?? new Set<string>();
    if (isWatched) channels.add(channel);
    else channels.delete(channel);
    if (channels.size > 0) this.#watches.set(session, channels);
    else this.#watches.delete(session);
  }

  #startWatch(name: string, presence: Presence): WatchedChannel {
    const onlookers = new Set<Session>();
    const watch = presence.watch(({ kind, member, info, since }) => {
      for (const onlooker of onlookers) onlooker.send({ type: kind, channel: name, member, info, since });
    });
    const watched = { watch, onlookers, arriving: new Set<Session>() };
    this.#watched.set(name, watched);
    return watched;
  }

  #closeUnlessWatched(name: string, watched: WatchedChannel): void {
    if (watched.onlookers.size + watched.arriving.size > 0) return;
    // By now there may be another watch of this channel.
    if (this.#watched.get(name) === watched) this.#watched.delete(name);
    // One that failed has told those who waited for it.
    watched.watch.then(
      (open) => open.close(),
      () => undefined,
    );
  }
}
