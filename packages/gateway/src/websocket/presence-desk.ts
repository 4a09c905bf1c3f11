import type { Presence } from "keyline";
import type { ChannelDoor } from "../channels/doors.ts";
import { Problem } from "../server/problem.ts";
import type { Session } from "./session.ts";

type Stay = Awaited<ReturnType<Presence["enter"]>>;
type Watch = Awaited<ReturnType<Presence["watch"]>>;
type WatchedChannel = { readonly watch: Promise<Watch>; readonly sessions: Set<Session> };

/** Who is in which channel through this gateway, and who looks on: one watch of a channel serves all sessions. */
export class PresenceDesk {
  readonly #stays = new Map<Session, Map<string, Promise<Stay>>>();
  readonly #watched = new Map<string, WatchedChannel>();
  readonly #logError: (error: unknown, what: string) => void;

  constructor(logError: (error: unknown, what: string) => void) {
    this.#logError = logError;
  }

  async enter(session: Session, { name, presence }: ChannelDoor["channel"], info: unknown): Promise<void> {
    const member = session.visitor.token?.subject;
    if (member === undefined) throw new Problem({ title: "Who is present needs a name: give a token", status: 403, code: "FORBIDDEN" });
    const stays = this.#stays.get(session) ?? new Map<string, Promise<Stay>>();
    const before = stays.get(name);
    this.#stays.set(session, stays);
    const stay = presence.enter(member, { info });
    stays.set(name, stay);
    try {
      await stay;
    } catch (error) {
      if (before) stays.set(name, before);
      else stays.delete(name);
      throw error;
    }
    // Only now, so that who says something new of itself is not seen to leave.
    await (await before)?.leave();
    // It closed meanwhile, and nobody knew of this stay.
    if (session.socket.destroyed) await this.leave(session, name);
  }

  async leave(session: Session, channel: string): Promise<void> {
    const stays = this.#stays.get(session);
    const stay = stays?.get(channel);
    if (!stay) return;
    stays?.delete(channel);
    if (stays?.size === 0) this.#stays.delete(session);
    await (await stay).leave();
  }

  async watch(session: Session, { name, presence }: ChannelDoor["channel"], ref: number | undefined): Promise<void> {
    let watched = this.#watched.get(name);
    if (!watched) {
      const sessions = new Set<Session>();
      const watch = presence.watch(({ kind, member, info, since }) => {
        for (const onlooker of sessions) onlooker.send({ type: kind, channel: name, member, info, since });
      });
      watched = { watch, sessions };
      this.#watched.set(name, watched);
      watch.catch(() => this.#watched.delete(name));
    }
    const { members } = await watched.watch;
    if (session.socket.destroyed) return;
    session.send({ type: "present", channel: name, ref, members: [...members.values()] });
    watched.sessions.add(session);
  }

  async unwatch(session: Session, channel: string): Promise<void> {
    const watched = this.#watched.get(channel);
    if (!watched) return;
    watched.sessions.delete(session);
    if (watched.sessions.size > 0) return;
    this.#watched.delete(channel);
    (await watched.watch).close();
  }

  /** Its connection has closed. */
  forget(session: Session): void {
    for (const channel of this.#stays.get(session)?.keys() ?? []) this.#run(this.leave(session, channel), "a stay could not be ended");
    for (const [channel, { sessions }] of this.#watched) {
      if (sessions.has(session)) this.#run(this.unwatch(session, channel), "a watch could not be ended");
    }
  }

  #run(work: Promise<void>, what: string): void {
    work.catch((error: unknown) => this.#logError(error, what));
  }
}
