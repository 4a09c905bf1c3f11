import { ClientError, notAnswered, offline, toError } from "../client-error.ts";
import type { Environment } from "../runtime/environment.ts";
import { parseFrame, type Answer, type Answers, type ClientFrame, type FrameOf, type Hello, type ServerFrame } from "./frames.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Link, LinkEnd, Payload } from "./link.ts";
import { Outbox } from "./outbox.ts";

interface LinkParts {
  readonly url: string;
  readonly environment: Environment;
  /** Gets every frame that answers no question, in the order of arrival. */
  onFrame(frame: ServerFrame): void;
}

interface Question {
  readonly text: string;
  isSent?: boolean;
  resolve(answer: Answer): void;
  reject(error: ClientError): void;
}

const mostWaiting = 1_000;
// What a gateway bears that does not say.
const defaultFramesPerSecond = 50;

/**
 * One WebSocket, from opening to its end. It ends once, for whatever reason comes first; from then on nothing of the socket is heard,
 * so that no frame of an old connection mixes with those of the next. A question that was sent and not answered by then ends as
 * OUTCOME_UNKNOWN: only the gateway knows whether it was done. One that was not sent yet ends as OFFLINE.
 */
export class SocketLink implements Link {
  readonly #parts: LinkParts;
  readonly #socket: WebSocket;
  readonly #questions = new Map<number | undefined, Question>();
  readonly #hello = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<LinkEnd>();
  /** Resolves when the gateway has greeted, or the link has ended. */
  readonly hello = this.#hello.promise;
  readonly ended = this.#ended.promise;
  #nextRef = 1;
  #isEnded = false;
  #maxFrameBytes = Infinity;
  #outbox: Outbox | undefined;
  #heartbeat: Heartbeat | undefined;
  #retryAt: number | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#socket = parts.environment.openSocket(parts.url);
    this.#socket.addEventListener("message", ({ data }) => this.#take(parseFrame(data)));
    this.#socket.addEventListener("close", ({ code }) => this.end(code));
  }

  /** Whether the gateway has greeted. */
  get isGreeted(): boolean {
    return this.#heartbeat !== undefined;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Sends a frame after the greeting; before it, and after the end, nothing. */
  send(frame: ClientFrame): void {
    this.#outbox?.push({ text: JSON.stringify(frame) });
  }

  /**
   * Sends a frame that gets one answer; a token goes ahead of what waits, which may need it. Rejects with the gateway's refusal, OUTCOME_UNKNOWN, or before anything is sent with OFFLINE,
   * PAYLOAD_TOO_LARGE or TOO_MANY_REQUESTS.
   */
  async request<Type extends keyof Answers>(frame: FrameOf<Type>, payload?: Payload): Promise<Answers[Type]> {
    const outbox = this.#outbox;
    if (!outbox) throw offline();
    const ref = this.#nextRef++;
    const head = JSON.stringify({ ...frame, ref });
    const text = payload ? `${head.slice(0, -1)},"${payload.key}":${payload.json}}` : head;
    if (new TextEncoder().encode(text).length > this.#maxFrameBytes) {
      throw new ClientError("PAYLOAD_TOO_LARGE", `The gateway takes ${this.#maxFrameBytes} bytes at most: keep large data elsewhere`);
    }
    const isToken = frame.type === "token";
    if (!isToken && outbox.length >= mostWaiting) {
      throw new ClientError("TOO_MANY_REQUESTS", `${mostWaiting} frames wait already: publish less`);
    }
    return new Promise((resolve, reject) => {
      // The gateway is trusted to answer each frame with what is its answer.
      const question: Question = { text, resolve: resolve as (answer: Answer) => void, reject };
      this.#questions.set(ref, question);
      outbox.push(question, isToken);
    });
  }

  /** Asks the gateway whether it is still there. */
  probe(): void {
    this.#heartbeat?.probe();
  }

  end(code: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    // On a dead network the closing handshake takes its time: nobody waits for it.
    this.#socket.close(1000);
    this.#heartbeat?.stop();
    this.#outbox?.stop();
    this.#outbox = undefined;
    this.#cancelRetry?.();
    for (const { isSent, reject } of this.#questions.values()) reject(isSent ? notAnswered() : offline());
    this.#questions.clear();
    this.#hello.resolve();
    this.#ended.resolve({ code, retryMs: this.#retryAt && this.#retryAt - this.#parts.environment.now() });
  }

  #take(frame: ServerFrame | undefined): void {
    this.#heartbeat?.heard();
    if (!frame || this.#isEnded) return;
    if (frame.type === "hello") this.#greet(frame);
    if (frame.type === "draining") this.#leaveIn(frame.retryMs);
    const question = "ref" in frame && this.#questions.get(frame.ref);
    if (!question) return this.#parts.onFrame(frame);
    this.#questions.delete(frame.ref);
    if (frame.type === "error") return question.reject(toError(frame));
    question.resolve(frame);
    // All who watch need to know who is present.
    if (frame.type === "present") this.#parts.onFrame(frame);
  }

  #greet(hello: Hello): void {
    const { environment } = this.#parts;
    const write = (text: string): void => this.#socket.send(text);
    this.#maxFrameBytes = hello.maxFrameBytes ?? Infinity;
    this.#outbox = new Outbox({ environment, framesPerSecond: hello.framesPerSecond ?? defaultFramesPerSecond, write });
    this.#heartbeat = new Heartbeat({
      beatMs: hello.beatMs,
      environment,
      // Past those who wait: the answer is expected soon.
      ping: () => write('{"type":"ping"}'),
      onDead: () => this.end(1006),
    });
    this.#hello.resolve();
  }

  #leaveIn(retryMs: number): void {
    this.#retryAt = this.#parts.environment.now() + retryMs;
    this.#cancelRetry = this.#parts.environment.after(retryMs, () => this.end(1012));
  }
}
