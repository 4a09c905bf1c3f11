import { WebSocket } from "ws";

export type Frame = Readonly<Record<string, unknown>> & { readonly type: string };

/** A WebSocket client for a test to wait on. */
export class SocketReader {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  /** The code with which it was closed. */
  readonly closed: Promise<number>;
  readonly #waiting = new Set<() => void>();

  /** Rejects with the status of a handshake that was refused. */
  static async open(url: string, headers: Record<string, string> = {}, from: { localAddress?: string } = {}): Promise<SocketReader> {
    const socket = new WebSocket(url.replace("http:", "ws:"), { headers, ...from });
    const reader = new SocketReader(socket);
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("unexpected-response", (_request, response) => {
        response.resume();
        reject(new Error(`status ${response.statusCode}`));
      });
      socket.once("error", reject);
    });
    return reader;
  }

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as Frame);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", (code) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  send(frame: object | string): void {
    this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Resolves when `count` frames of this type have come. */
  async receive(type: string, count = 1): Promise<Frame[]> {
    for (;;) {
      const found = this.frames.filter((frame) => frame.type === type);
      if (found.length >= count) return found;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`Closed after ${found.length} of ${count} frames ${type}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Sends a frame and resolves with the next frame of this type. */
  async ask(frame: object, type: string): Promise<Frame> {
    const before = this.frames.filter((received) => received.type === type).length;
    this.send(frame);
    const answer = (await this.receive(type, before + 1))[before];
    if (answer) return answer;
    throw new Error("unreachable");
  }

  close(): void {
    this.socket.terminate();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
