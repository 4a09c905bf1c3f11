import type { Payload } from "./payload.ts";

/** Parses server-sent events as a browser does, as far as Keyline's gateway uses them. */
export class EventParser {
  readonly #onMessage: (seq: number) => void;
  readonly #onOther: (event: string) => void;
  #text = "";
  /** What a browser would send to resume: the id of the last event that has come in full. */
  lastEventId: string | undefined;

  constructor({ onMessage, onOther }: { readonly onMessage: (seq: number) => void; readonly onOther: (event: string) => void }) {
    this.#onMessage = onMessage;
    this.#onOther = onOther;
  }

  push(bytes: Buffer): void {
    this.#text += bytes.toString("latin1");
    for (let end = this.#text.indexOf("\n\n"); end !== -1; end = this.#text.indexOf("\n\n")) {
      this.#dispatch(this.#text.slice(0, end).split("\n"));
      this.#text = this.#text.slice(end + 2);
    }
  }

  /** The connection is gone, and with it what had come of the next event. */
  reset(): void {
    this.#text = "";
  }

  #dispatch(lines: readonly string[]): void {
    const field = (name: string): string | undefined => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    this.lastEventId = field("id") ?? this.lastEventId;
    const data = field("data");
    if (data === undefined) return;
    if (field("event") !== "message") {
      this.#onOther(lines.join(", "));
      return;
    }
    const message: { readonly data: Payload } = JSON.parse(data);
    this.#onMessage(message.data.seq);
  }
}
