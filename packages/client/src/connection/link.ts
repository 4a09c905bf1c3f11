import { ClientError, toClientError } from "../client-error.ts";
import type { Environment } from "../runtime/environment.ts";
import { isLongerThan } from "../runtime/json.ts";
import { parseFrame, type Answer, type ClientFrame, type Hello, type Refusal, type ServerFrame } from "./frames.ts";
import { Heartbeat } from "./heartbeat.ts";

/** How a connection ended: the close code, and for how long the gateway asks to stay away. */
export interface LinkEnd {
  readonly code: number;
  readonly retryMs?: number | undefined;
}

interface LinkParts {
  readonly url: string;
  readonly environment: Environment;
  /** Gets every frame that answers no question, in the order of arrival. */
  onFrame(frame: ServerFrame): void;
}

interface Question {
  resolve(answer: Answer): void;
  reject(error: ClientError): void;
}

/** A part of a frame that is JSON already. */
export interface Payload {
  readonly key: "data" | "info";
  readonly json: string;
}

/**
 * One WebSocket, from opening to its end. It ends once, for whatever reason comes first; from then on nothing of the socket is heard,
 * so that no frame of an old connection mixes with those of the next. Every question that was not answered by then ends as
 * OUTCOME_UNKNOWN: it was sent, and only the gateway knows whether it was done.
 */
export class Link {
  /** Resolves when the gateway has greeted. Never resolves when the link ends before. */
  readonly hello: Promise<Hello>;
  readonly ended: Promise<LinkEnd>;
  readonly #parts: LinkParts;
  readonly #socket: WebSocket;
  readonly #questions = new Map<number, Question>();
  readonly #hello = Promise.withResolvers<Hello>();
  readonly #ended = Promise.withResolvers<LinkEnd>();
  #nextRef = 1;
  #isEnded = false;
  #maxFrameBytes = Infinity;
  #heartbeat: Heartbeat | undefined;
  #retryAt: number | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.hello = this.#hello.promise;
    this.ended = this.#ended.promise;
    this.#socket = parts.environment.openSocket(parts.url);
    this.#socket.addEventListener("message", ({ data }) => this.#take(parseFrame(data)));
    this.#socket.addEventListener("close", ({ code }) => this.end(code));
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Whether the gateway has said that it will end this link. */
  get isLeaving(): boolean {
    return this.#retryAt !== undefined;
  }

  send(frame: ClientFrame): void {
    if (!this.#isEnded) this.#socket.send(JSON.stringify(frame));
  }

  /** Sends a frame that gets one answer. Rejects with the gateway's refusal, OFFLINE, OUTCOME_UNKNOWN or PAYLOAD_TOO_LARGE. */
  request(frame: ClientFrame, payload?: Payload): Promise<Answer> {
    if (this.#isEnded) return Promise.reject(new ClientError("OFFLINE", "Nothing was sent, the connection has just ended: try again"));
    const ref = this.#nextRef++;
    const head = JSON.stringify({ ...frame, ref });
    const text = payload ? `${head.slice(0, -1)},"${payload.key}":${payload.json}}` : head;
    if (isLongerThan(text, this.#maxFrameBytes)) {
      const message = `The frame takes more than the ${this.#maxFrameBytes} bytes that the gateway allows: keep large data elsewhere and send its address`;
      return Promise.reject(new ClientError("PAYLOAD_TOO_LARGE", message));
    }
    return new Promise((resolve, reject) => {
      this.#questions.set(ref, { resolve, reject });
      this.#socket.send(text);
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
    this.#cancelRetry?.();
    for (const { reject } of this.#questions.values()) {
      reject(new ClientError("OUTCOME_UNKNOWN", "The connection ended before the answer: look whether it was done before doing it again"));
    }
    this.#questions.clear();
    const retryMs = this.#retryAt === undefined ? undefined : Math.max(0, this.#retryAt - this.#parts.environment.now());
    this.#ended.resolve({ code, retryMs });
  }

  #take(frame: ServerFrame | undefined): void {
    this.#heartbeat?.heard();
    if (!frame || this.#isEnded) return;
    if (frame.type === "hello") this.#greet(frame);
    if (frame.type === "draining") this.#leaveIn(frame.retryMs);
    if ("ref" in frame && frame.ref !== undefined && this.#settle(frame.ref, frame)) return;
    this.#parts.onFrame(frame);
  }

  /** Whether the frame was for the one who asked alone. */
  #settle(ref: number, frame: Answer | Refusal): boolean {
    const question = this.#questions.get(ref);
    if (!question) return false;
    this.#questions.delete(ref);
    if (frame.type === "error") question.reject(toClientError(frame));
    else question.resolve(frame);
    // Who is present concerns all who watch.
    return frame.type !== "present";
  }

  #greet(hello: Hello): void {
    this.#maxFrameBytes = hello.maxFrameBytes ?? Infinity;
    this.#heartbeat = new Heartbeat({
      beatMs: hello.beatMs,
      environment: this.#parts.environment,
      ping: () => this.send({ type: "ping" }),
      onDead: () => this.end(1006),
    });
    this.#hello.resolve(hello);
  }

  #leaveIn(retryMs: number): void {
    this.#retryAt = this.#parts.environment.now() + retryMs;
    this.#cancelRetry = this.#parts.environment.after(retryMs, () => this.end(1012));
  }
}
