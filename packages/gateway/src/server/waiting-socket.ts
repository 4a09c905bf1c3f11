import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

const headPatienceMs = 10_000;
const patienceMs = 30_000;

/** A connection that is no live one: on which something may be asked, is being asked, or is being answered. */
export class WaitingSocket {
  readonly address: string;
  readonly #server: Server;
  /** Of TLS the decrypted side, once something was asked. */
  #socket: Socket;
  #isFresh = true;
  #unanswered = 0;
  /** What had come when the last request was answered. */
  #heardBytes = 0;
  /** When the head began that has not come whole. */
  #headSince: number | undefined;
  /** The last request to the gateway, and since when nothing of it, or of its answer, has moved. */
  #ours: { readonly request: IncomingMessage; since: number; taken: number } | undefined;

  constructor(setup: { readonly server: Server; readonly socket: Socket; readonly address: string; readonly now: number }) {
    this.#server = setup.server;
    this.#socket = setup.socket;
    this.address = setup.address;
    this.#headSince = setup.now;
  }

  /** Something was asked before, and nothing is being asked. */
  get isIdle(): boolean {
    return !this.#isFresh && this.#unanswered === 0 && this.#socket.bytesRead === this.#heardBytes;
  }

  noteRequest({ socket }: IncomingMessage): void {
    this.#socket = socket;
    this.#isFresh = false;
    this.#unanswered++;
    this.#headSince = undefined;
  }

  /** The answer to a request is out, or has nobody any more who would take it. */
  noteAnswered({ socket }: IncomingMessage): void {
    this.#unanswered--;
    this.#heardBytes = socket.bytesRead;
    if (this.#unanswered === 0) this.#ours = undefined;
  }

  noteOurs(request: IncomingMessage): void {
    this.#ours = { request, since: Date.now(), taken: -1 };
  }

  /** Called every second. */
  isOverdue(now: number): boolean {
    if (this.#unanswered > 0) return this.#isStuck(now);
    if (this.isIdle) this.#headSince = undefined;
    else this.#headSince ??= now;
    return this.#headSince !== undefined && now - this.#headSince >= headPatienceMs;
  }

  /** Closes it; who sent half a head is told. */
  cut(): void {
    const isEncrypted = this.#isFresh && "setSecureContext" in this.#server;
    if (this.#unanswered > 0 || isEncrypted || this.#socket.bytesRead === 0) this.destroy();
    else this.#server.emit("clientError", Object.assign(new Error("Request timeout"), { code: "ERR_HTTP_REQUEST_TIMEOUT" }), this.#socket);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** A body that does not end has so long as a whole; an answer as long from when the client last took something of it. */
  #isStuck(now: number): boolean {
    const ours = this.#ours;
    if (!ours) return false;
    const taken = this.#socket.bytesWritten - this.#socket.writableLength;
    if (ours.request.complete && (this.#socket.writableLength === 0 || taken !== ours.taken)) {
      ours.taken = taken;
      ours.since = now;
    }
    return now - ours.since >= patienceMs;
  }
}
