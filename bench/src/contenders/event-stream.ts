import { connect, type Socket } from "node:net";

// One buffer for all sockets of the process: what was read is used up before the next socket is read.
const buffer = Buffer.allocUnsafe(65_536);

export interface EventStreamOptions {
  readonly channel: string;
  /** Where to resume. */
  readonly lastEventId?: string | undefined;
  /** Gets what follows the head of the answer; the bytes are only there during the call. */
  readonly onBytes: (bytes: Buffer) => void;
  readonly onLost: (reason: string) => void;
}

/** One connection that follows a channel: a request written by hand, and whatever comes back. */
export class EventStream {
  readonly #socket: Socket;
  readonly #options: EventStreamOptions;
  #head = "";
  #isOpen = false;
  #isClosed = false;
  #onOpen: () => void = () => {};
  #onRefused: (error: Error) => void = () => {};

  private constructor(url: string, options: EventStreamOptions) {
    this.#options = options;
    const { hostname, port } = new URL(url);
    const onread = { buffer, callback: (length: number): boolean => this.#read(buffer.subarray(0, length)) };
    this.#socket = connect({ host: hostname, port: Number(port), onread, noDelay: true });
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("the server closed the connection"));
    const resume = options.lastEventId === undefined ? "" : `Last-Event-ID: ${options.lastEventId}\r\n`;
    this.#socket.write(
      `GET /v1/channels/${options.channel}/messages HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAccept: text/event-stream\r\n${resume}\r\n`,
    );
  }

  /** Resolves when the server has answered: what is published from then on arrives. */
  static async open(url: string, options: EventStreamOptions): Promise<EventStream> {
    const stream = new EventStream(url, options);
    await new Promise<void>((resolve, reject) => {
      stream.#onOpen = resolve;
      stream.#onRefused = reject;
    });
    return stream;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #read(bytes: Buffer): boolean {
    if (this.#isOpen) this.#options.onBytes(bytes);
    else this.#readHead(bytes);
    return true;
  }

  #readHead(bytes: Buffer): void {
    this.#head += bytes.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end === -1) return;
    if (!this.#head.startsWith("HTTP/1.1 200 ")) {
      this.#end(this.#head);
      this.close();
      return;
    }
    this.#isOpen = true;
    const body = this.#head.slice(end + 4);
    this.#head = "";
    if (body !== "") this.#options.onBytes(Buffer.from(body, "latin1"));
    this.#onOpen();
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isOpen) this.#options.onLost(reason);
    else this.#onRefused(new Error(`No event stream was opened: ${reason}`));
  }
}
