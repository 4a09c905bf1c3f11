import { get, type IncomingMessage } from "node:http";

export interface ServerEvent {
  readonly event: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Server-sent events, parsed as the standard has it, for a test to wait for. */
export class EventSourceReader {
  readonly response: IncomingMessage;
  readonly events: ServerEvent[] = [];
  readonly comments: string[] = [];
  /** The last id that was received, with or without an event. */
  lastEventId = "";
  retryMs = 0;
  readonly ended: Promise<void>;
  #rest = "";
  #event: { name: string; data: string; id?: string } = { name: "", data: "" };
  readonly #waiting = new Set<() => void>();

  static open(url: string, headers: Record<string, string> = {}): Promise<EventSourceReader> {
    return new Promise((resolve, reject) => {
      const request = get(url, { headers, agent: false }, (response) => {
        if (response.statusCode === 200) {
          resolve(new EventSourceReader(response));
          return;
        }
        response.resume();
        reject(new Error(`status ${response.statusCode}`));
      });
      request.on("error", reject);
    });
  }

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding("utf8");
    response.on("data", (text: string) => this.#read(text));
    response.on("error", () => undefined);
    this.ended = new Promise((resolve) => {
      response.once("close", () => {
        resolve();
        this.#wake();
      });
    });
  }

  /** Resolves when `count` events with this name have come. */
  async receive(event: string, count = 1): Promise<ServerEvent[]> {
    for (;;) {
      const found = this.events.filter((received) => received.event === event);
      if (found.length >= count) return found;
      if (this.response.closed) throw new Error(`The stream ended after ${found.length} of ${count} events ${event}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  close(): void {
    this.response.destroy();
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#readLine(line);
    this.#wake();
  }

  #readLine(line: string): void {
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (line === "") this.#dispatch();
    else if (line.startsWith(":")) this.comments.push(line);
    else if (field === "event") this.#event.name = value;
    else if (field === "data") this.#event.data += value;
    else if (field === "id") this.#event.id = value;
    else if (field === "retry") this.retryMs = Number(value);
    else throw new Error(`A field that no event of the gateway has: ${line}`);
  }

  #dispatch(): void {
    const { name, data, id } = this.#event;
    this.#event = { name: "", data: "" };
    // Only now: of an event that was cut off in the middle, the id does not count.
    if (id !== undefined) this.lastEventId = id;
    if (data === "") return;
    this.events.push({ event: name, id: this.lastEventId, data: JSON.parse(data) as ServerEvent["data"] });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
