/*
 * What a client may say on a WebSocket, and the answers. Frames are taken one after another, so that a token is known when the
 * subscription behind it is looked at; a client that does not wait for answers may be so many frames ahead, and no more.
 */
import type { Access } from "../access/access.ts";
import { requirePublishing, requireReading } from "../channels/channel-access.ts";
import type { ChannelDoor, DoorFinder } from "../channels/doors.ts";
import type { Feeds } from "../live/feeds.ts";
import { parsePlace } from "../live/place.ts";
import { webSocketWire } from "../live/wire.ts";
import type { RequestLimit } from "../limits/request-limit.ts";
import { parseUntrustedJson } from "../server/json-body.ts";
import { Problem, toProblem } from "../server/problem.ts";
import { clientFrame, type ClientFrame, type FrameOf } from "./client-frames.ts";
import type { PresenceDesk } from "./presence-desk.ts";
import type { Session } from "./session.ts";

export interface ConversationParts {
  readonly access: Access;
  readonly doors: DoorFinder;
  readonly feeds: Feeds;
  readonly requests: RequestLimit;
  readonly presence: PresenceDesk;
  readonly framesPerSecond: number;
  readonly mostChannels: number;
  readonly logError: (error: unknown, what: string) => void;
}

const mostAhead = 200;

export class Conversation {
  readonly #session: Session;
  readonly #parts: ConversationParts;
  #turn = Promise.resolve();
  #ahead = 0;
  #second = 0;
  #framesThisSecond = 0;

  constructor(session: Session, parts: ConversationParts) {
    this.#session = session;
    this.#parts = parts;
    session.whenAnswered = () => this.#turn;
  }

  hear(data: string | Buffer, isBinary: boolean): void {
    if (this.#session.isLeaving) return;
    if (this.#isFlood()) {
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
      this.#turn = this.#turn.then(() => this.#answer(frame)).finally(() => this.#ahead--);
    }
  }

  #isFlood(): boolean {
    const second = Math.floor(Date.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#framesThisSecond = 0;
    }
    this.#framesThisSecond++;
    return this.#framesThisSecond > this.#parts.framesPerSecond || this.#ahead >= mostAhead;
  }

  async #answer(frame: ClientFrame): Promise<void> {
    if (this.#session.isEnding || this.#session.socket.destroyed) return;
    try {
      await this.#handle(frame);
    } catch (error) {
      const { body } = toProblem(error);
      if (body.status >= 500) this.#parts.logError(error, `a WebSocket frame ${frame.type} failed`);
      const { channel, sub, ref } = { channel: undefined, sub: undefined, ref: undefined, ...frame };
      this.#session.send({ type: "error", channel, sub, ref, code: body.code, message: body.detail ?? body.title });
      if (frame.type === "token" && !this.#session.visitor.token) this.#session.end("TOKEN_INVALID");
    }
  }

  #handle(frame: ClientFrame): Promise<void> | void {
    switch (frame.type) {
      case "token":
        return this.#takeToken(frame);
      case "subscribe":
        return this.#subscribe(frame);
      case "unsubscribe":
        return this.#session.release(frame, null);
      case "publish":
        return this.#publish(frame);
      case "enter":
      case "leave":
      case "watch":
      case "unwatch":
        return this.#attend(frame);
      case "ping":
        return undefined;
    }
  }

  async #takeToken({ token: text, ref }: FrameOf<"token">): Promise<void> {
    const { access } = this.#parts;
    const { visitor } = this.#session;
    const token = await access.verify(text);
    // Counts, presence and what it is subscribed to belong to somebody: another one connects anew.
    if (visitor.token && visitor.token.subject !== token.subject) {
      throw new Problem({ title: "The token is of another subject than the one before", status: 403, code: "FORBIDDEN" });
    }
    this.#session.renew({ ...visitor, token });
    const { expiresAt } = token;
    // Also as a duration: a browser's clock may be wrong by hours.
    this.#session.send({ type: "token", ref, expiresAt, expiresInMs: expiresAt - Date.now() });
    for (const subscription of this.#session.subscriptions.values()) {
      const door = await this.#parts.doors.find(subscription.channel).catch(() => undefined);
      if (!door || !this.#mayRead(door)) this.#session.release(subscription, "FORBIDDEN");
    }
  }

  #mayRead(door: ChannelDoor): boolean {
    try {
      requireReading(this.#parts.access, this.#session.visitor, door);
      return true;
    } catch {
      return false;
    }
  }

  async #subscribe({ channel, sub, since }: FrameOf<"subscribe">): Promise<void> {
    const { access, doors, feeds, mostChannels } = this.#parts;
    const session = this.#session;
    if (session.subscriptions.has(sub ?? channel)) {
      throw new Problem({ title: "There is a subscription of this name already", status: 409, code: "INVALID_FRAME" });
    }
    const door = await doors.find(channel);
    requireReading(access, session.visitor, door);
    const place = parsePlace(since ?? undefined, 1);
    if (session.subscriptions.size >= mostChannels) {
      throw new Problem({ title: `More than ${mostChannels} subscriptions`, status: 429, code: "TOO_MANY_CHANNELS" });
    }
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

  async #attend(frame: FrameOf<"enter" | "leave" | "watch" | "unwatch">): Promise<void> {
    const { presence, doors, access } = this.#parts;
    const door = await doors.find(frame.channel);
    requireReading(access, this.#session.visitor, door);
    if (!door.presence) throw new Problem({ title: `${frame.channel} keeps no presence`, status: 403, code: "FORBIDDEN" });
    switch (frame.type) {
      case "enter":
        await presence.enter(this.#session, door.channel, frame.info);
        break;
      case "leave":
        await presence.leave(this.#session, frame.channel);
        break;
      case "unwatch":
        await presence.unwatch(this.#session, frame.channel);
        break;
      case "watch":
        return presence.watch(this.#session, door.channel, frame.ref);
    }
    this.#session.send({ type: "done", ref: frame.ref });
  }
}

function readFrame(text: string): ClientFrame | undefined {
  try {
    return clientFrame.safeParse(parseUntrustedJson(text)).data;
  } catch {
    return undefined;
  }
}
