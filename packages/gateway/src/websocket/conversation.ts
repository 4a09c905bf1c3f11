/*
 * What a client may say on a WebSocket, and the answers. Frames are taken one after another, so that a token is known when the
 * subscription behind it is looked at; a client that does not wait for answers may be so many frames ahead, and no more.
 */
import type { Access } from "../access/access.ts";
import type { Visitor } from "../access/token.ts";
import { requirePresence, requirePublishing, requireReading } from "../channels/channel-access.ts";
import type { ChannelFinder } from "../channels/doors.ts";
import type { Feeds } from "../live/feeds.ts";
import { parsePlace } from "../live/place.ts";
import { webSocketWire } from "../live/wire.ts";
import type { RequestLimit } from "../limits/request-limit.ts";
import { FrameRate } from "../limits/frame-rate.ts";
import { parseUntrustedJson } from "../server/json-body.ts";
import { Problem, toProblem } from "../server/problem.ts";
import { append } from "../streams/append.ts";
import { findBeginning } from "../streams/beginning.ts";
import type { StreamFinder } from "../streams/doors.ts";
import { requireAppending, requireFollowing } from "../streams/stream-access.ts";
import type { StreamCounts } from "../streams/stream-counts.ts";
import { clientFrame, type ClientFrame, type FrameOf } from "./client-frames.ts";
import type { FollowDesk } from "./follow-desk.ts";
import type { PresenceDesk } from "./presence-desk.ts";
import type { Session } from "./session.ts";

export interface ConversationParts {
  readonly access: Access;
  readonly doors: ChannelFinder;
  readonly feeds: Feeds;
  readonly requests: RequestLimit;
  readonly presence: PresenceDesk;
  readonly streams: StreamFinder;
  readonly follows: FollowDesk;
  readonly counts: StreamCounts;
  readonly framesPerSecond: number;
  readonly mostChannels: number;
  readonly logError: (error: unknown, what: string) => void;
}

const mostAhead = 200;

export class Conversation {
  readonly #session: Session;
  readonly #parts: ConversationParts;
  readonly #rate: FrameRate;
  #turn = Promise.resolve();
  #ahead = 0;

  constructor(session: Session, parts: ConversationParts) {
    this.#session = session;
    this.#parts = parts;
    this.#rate = new FrameRate(parts.framesPerSecond);
    session.whenAnswered = () => this.#turn;
  }

  hear(data: string | Buffer, isBinary: boolean): void {
    if (this.#session.isLeaving) return;
    if (!this.#rate.take() || this.#ahead >= mostAhead) {
      this.#session.end("TOO_MANY_FRAMES");
      return;
    }
    const frame = isBinary ? undefined : readFrame(data.toString());
    if (!frame) {
      this.#session.end("INVALID_FRAME");
    } else if (frame.type === "ping") {
      this.#session.send({ type: "pong" });
    } else {
      this.#ahead++;
      this.#turn = this.#turn.then(() => this.#answerOrEnd(frame)).finally(() => this.#ahead--);
    }
  }

  /** Whatever happens to one frame, the turn of the next one comes: a logger may throw, too. */
  async #answerOrEnd(frame: ClientFrame): Promise<void> {
    try {
      await this.#answer(frame);
    } catch {
      this.#session.end("INTERNAL_ERROR");
    }
  }

  async #answer(frame: ClientFrame): Promise<void> {
    if (this.#session.isEnding || this.#session.socket.destroyed) return;
    try {
      await this.#handle(frame);
    } catch (error) {
      const { body } = toProblem(error);
      if (body.status >= 500) this.#parts.logError(error, `a WebSocket frame ${frame.type} failed`);
      const { channel, stream, sub, ref } = { channel: undefined, stream: undefined, sub: undefined, ref: undefined, ...frame };
      this.#session.send({ type: "error", channel, stream, sub, ref, code: body.code, message: body.detail ?? body.title });
      if (frame.type !== "token" || this.#session.visitor.token) return;
      this.#session.end(body.code === "TOO_MANY_CONNECTIONS" ? body.code : "TOKEN_INVALID");
    }
  }

  #handle(frame: ClientFrame): Promise<void> | void {
    const { follows } = this.#parts;
    switch (frame.type) {
      case "token":
        return this.#takeToken(frame);
      case "subscribe":
        return this.#subscribe(frame);
      case "unsubscribe":
        return this.#session.release(frame, null);
      case "publish":
        return this.#publish(frame);
      case "follow":
        return this.#follow(frame);
      case "unfollow":
        return follows.end(this.#session, frame, null);
      case "append":
        return this.#append(frame);
      case "enter":
      case "watch":
        return this.#attend(frame);
      case "leave":
      case "unwatch":
        return this.#withdraw(frame);
      case "ping":
        return undefined;
    }
  }

  async #takeToken({ token: text, ref }: FrameOf<"token">): Promise<void> {
    const { access, requests } = this.#parts;
    const { visitor } = this.#session;
    // In development there is no key, and clients that have tokens show them all the same.
    if (!access.hasKey) {
      this.#session.send({ type: "token", ref, expiresAt: null, expiresInMs: null });
      return;
    }
    // The first one belongs to the opening of the connection, which was counted.
    if (visitor.token) requests.takeHere(this.#session.key);
    const token = await access.verify(text);
    // Counts, presence and what it is subscribed to belong to somebody: another one connects anew.
    if (visitor.token && visitor.token.subject !== token.subject) {
      throw new Problem({ title: "The token is of another subject than the one before", status: 403, code: "FORBIDDEN" });
    }
    this.#session.renew({ ...visitor, token });
    const { expiresAt } = token;
    // Also as a duration: a browser's clock may be wrong by hours.
    this.#session.send({ type: "token", ref, expiresAt, expiresInMs: expiresAt - Date.now() });
    await this.#endWhatIsForbidden();
  }

  /** What the token of before allowed, and the one of now does not. */
  async #endWhatIsForbidden(): Promise<void> {
    const session = this.#session;
    const { presence, doors, streams, follows } = this.#parts;
    for (const follow of follows.followsOf(session)) {
      const code = await this.#refusalOf(() => streams.find(follow.stream), requireFollowing);
      if (code !== undefined && follows.has(session, follow)) follows.end(session, follow, code);
    }
    for (const subscription of session.subscriptions.values()) {
      const code = await this.#refusalOf(() => doors.find(subscription.channel), requireReading);
      if (code !== undefined) session.release(subscription, code);
    }
    for (const channel of presence.watchesOf(session)) {
      const code = await this.#refusalOf(() => doors.find(channel), requirePresence);
      if (code === undefined) continue;
      presence.unwatch(session, channel);
      session.send({ type: "withdrawn", what: "watch", channel, code });
    }
    for (const channel of presence.staysOf(session)) {
      const code = await this.#refusalOf(() => doors.find(channel), requirePresence);
      if (code === undefined) continue;
      await presence.leave(session, channel);
      session.send({ type: "withdrawn", what: "enter", channel, code });
    }
  }

  /** Undefined for what is allowed, and otherwise a code: one that passes where it is only that the application cannot say at the moment. */
  async #refusalOf<Door>(
    find: () => Promise<Door>,
    requireRight: (access: Access, visitor: Visitor, door: Door) => void,
  ): Promise<string | undefined> {
    try {
      requireRight(this.#parts.access, this.#session.visitor, await find());
      return undefined;
    } catch (error) {
      const { status, code } = toProblem(error).body;
      if (status < 500) return "FORBIDDEN";
      this.#parts.logError(error, "what a renewed token allows was not found out");
      return code;
    }
  }

  async #subscribe({ channel, sub, since }: FrameOf<"subscribe">): Promise<void> {
    const { access, doors, feeds, requests } = this.#parts;
    const session = this.#session;
    if (session.subscriptions.has(sub ?? channel)) {
      throw new Problem({ title: "There is a subscription of this name already", status: 409, code: "INVALID_FRAME" });
    }
    const door = await doors.find(channel);
    requireReading(access, session.visitor, door);
    const place = parsePlace(since ?? undefined, 1);
    this.#checkRoom();
    // What was missed has to be read.
    if (place[0] !== undefined) requests.takeHere(session.key);
    const feed = await feeds.open([door.channel], webSocketWire(sub));
    if (session.isEnding || session.socket.destroyed) return;
    const start = feed.enter(session, place);
    session.hold({ channel, sub, feed });
    session.send({ type: "subscribed", channel, sub, cursor: start === "" ? null : start });
  }

  async #publish({ channel, data, ref }: FrameOf<"publish">): Promise<void> {
    await this.#parts.requests.take(this.#session.key);
    const door = await this.#parts.doors.find(channel);
    requirePublishing(this.#parts.access, this.#session.visitor, door);
    const { id, receivers } = await door.channel.publish(data as never);
    this.#session.send({ type: "published", ref, id, receivers });
  }

  async #follow({ stream, sub, after, key, ref }: FrameOf<"follow">): Promise<void> {
    const { access, streams, follows, requests } = this.#parts;
    const session = this.#session;
    if (follows.has(session, { stream, sub })) {
      throw new Problem({ title: "Something of this name is followed already", status: 409, code: "INVALID_FRAME" });
    }
    const door = await streams.find(stream);
    requireFollowing(access, session.visitor, door);
    this.#checkRoom();
    // Where the stream ends has to be asked, too.
    requests.takeHere(session.key);
    const filter = { after: after ?? undefined, key: key ?? undefined };
    const place = await findBeginning(door.stream, filter);
    if (session.isEnding || session.socket.destroyed) return;
    follows.begin(session, door.stream, { stream, sub, after: place, key: filter.key });
    session.send({ type: "following", stream, sub, ref, after: place });
  }

  async #append({ ref, ...frame }: FrameOf<"append">): Promise<void> {
    const { access, streams, requests, counts } = this.#parts;
    await requests.take(this.#session.key);
    const door = await streams.find(frame.stream);
    requireAppending(access, this.#session.visitor, door);
    const { id, appended } = await append(door, frame, counts);
    this.#session.send({ type: "appended", ref, id, appended });
  }

  async #attend(frame: FrameOf<"enter" | "watch">): Promise<void> {
    const { presence, doors, access, requests } = this.#parts;
    const session = this.#session;
    requests.takeHere(session.key);
    const door = await doors.find(frame.channel);
    requirePresence(access, session.visitor, door);
    const known = frame.type === "enter" ? presence.staysOf(session) : presence.watchesOf(session);
    if (!known.includes(frame.channel)) this.#checkRoom();
    if (frame.type === "watch") return presence.watch(session, door.channel, frame.ref);
    await presence.enter(session, door.channel, frame.info);
    session.send({ type: "done", ref: frame.ref });
  }

  /** Never refused: it ends what was allowed, and counted, when it began. */
  async #withdraw({ type, channel, ref }: FrameOf<"leave" | "unwatch">): Promise<void> {
    const { presence } = this.#parts;
    if (type === "leave") await presence.leave(this.#session, channel);
    else presence.unwatch(this.#session, channel);
    this.#session.send({ type: "done", ref });
  }

  #checkRoom(): void {
    const { mostChannels, presence, follows } = this.#parts;
    const session = this.#session;
    if (session.subscriptions.size + presence.countOf(session) + follows.countOf(session) < mostChannels) return;
    throw new Problem({
      title: `More than ${mostChannels} subscriptions, streams, watches and stays`,
      status: 429,
      code: "TOO_MANY_CHANNELS",
    });
  }
}

function readFrame(text: string): ClientFrame | undefined {
  try {
    return clientFrame.safeParse(parseUntrustedJson(text)).data;
  } catch {
    return undefined;
  }
}
