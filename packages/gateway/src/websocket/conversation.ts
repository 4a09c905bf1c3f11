/*
 * What a client may say on a WebSocket, and the answers. Frames are taken one after another, so that a token is known when the
 * subscription behind it is looked at; a client that does not wait for answers may be so many frames ahead, and no more.
 */
import { FrameRate } from "../limits/frame-rate.ts";
import { parseUntrustedJson } from "../server/json-body.ts";
import { toProblem } from "../server/problem.ts";
import { clientFrame, type ClientFrame } from "./client-frames.ts";
import { FrameScan } from "./frame-scan.ts";
import type { HandlerParts } from "./handlers/frame-handler.ts";
import { handleFrame } from "./handlers/handlers.ts";
import type { Session } from "./session.ts";

export interface ConversationParts extends HandlerParts {
  readonly framesPerSecond: number;
}

const mostAhead = 200;
// As many as a client may have subscriptions by default: a renewed token can be the end of all of them at once.
const mostRefusals = 100;
// For a message to be finished once it has begun.
const patienceMs = 10_000;

type HandledFrame = Exclude<ClientFrame, { readonly type: "ping" }>;

export class Conversation {
  readonly #session: Session;
  readonly #parts: ConversationParts;
  readonly #scan: FrameScan;
  #unfinishedSince: number | undefined;
  #turn = Promise.resolve();
  #ahead = 0;
  /** How many frames in a row were refused. */
  #refusals = 0;

  constructor(session: Session, parts: ConversationParts) {
    this.#session = session;
    this.#parts = parts;
    const rate = new FrameRate(parts.framesPerSecond);
    this.#scan = new FrameScan(() => {
      if (!rate.take()) session.end("TOO_MANY_FRAMES");
    });
    session.whenAnswered = () => this.#turn;
    session.checkPatience = (now) => this.#checkPatience(now);
  }

  /** Looks at what comes in before it is put together: each frame counts, also fragments and those that WebSocket itself has. */
  overhear(chunk: Buffer): void {
    if (!this.#session.isLeaving) this.#scan.read(chunk);
  }

  hear(data: Buffer, isBinary: boolean): void {
    this.#unfinishedSince = undefined;
    if (this.#session.isLeaving) return;
    // Before it is parsed, which costs the more the larger it is.
    if (this.#ahead >= mostAhead || !this.#parts.requests.takeBytesHere(this.#session.key, data.length)) {
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

  /** Every second: a message that is never finished is held for ever. */
  #checkPatience(now: number): void {
    if (!this.#scan.isUnfinished) this.#unfinishedSince = undefined;
    else if (now - (this.#unfinishedSince ??= now) >= patienceMs) this.#session.end("INVALID_FRAME");
  }

  /** Whatever happens to one frame, the turn of the next one comes: a logger may throw, too. */
  async #answerOrEnd(frame: HandledFrame): Promise<void> {
    try {
      await this.#answer(frame);
    } catch {
      this.#session.end("INTERNAL_ERROR");
    }
  }

  async #answer(frame: HandledFrame): Promise<void> {
    if (this.#session.isEnding || this.#session.socket.destroyed) return;
    try {
      await handleFrame(frame.type, { frame, session: this.#session, parts: this.#parts });
      this.#refusals = 0;
    } catch (error) {
      this.#refuse(frame, error);
    }
  }

  #refuse(frame: HandledFrame, error: unknown): void {
    const { body } = toProblem(error);
    if (body.status >= 500) this.#parts.logError(error, "a WebSocket frame failed", { frame: frame.type });
    else this.#refusals++;
    const { channel, stream, sub, ref } = { channel: undefined, stream: undefined, sub: undefined, ref: undefined, ...frame };
    this.#session.send({ type: "error", channel, stream, sub, ref, code: body.code, message: body.detail ?? body.title });
    if (frame.type === "token" && !this.#session.visitor.token) {
      this.#session.end(body.code === "TOO_MANY_CONNECTIONS" ? body.code : "TOKEN_INVALID");
    } else if (this.#refusals >= mostRefusals) {
      this.#session.end("TOO_MANY_FRAMES");
    }
  }
}

function readFrame(text: string): ClientFrame | undefined {
  try {
    return clientFrame.safeParse(parseUntrustedJson(text)).data;
  } catch {
    return undefined;
  }
}
