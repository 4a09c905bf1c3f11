import type { LiveEnd } from "../api/live.ts";
import type { Came } from "./source.ts";
import type { Topic } from "./topic.ts";

const roomBytes = 1_048_576;
const heartbeatMs = 15_000;
const patienceMs = 60_000;

/** One open event stream. Whoever reads slowly gets the newest of each topic when there is room again, and is told how many rows it missed. */
export class Viewer {
  readonly topics: readonly Topic[];
  readonly body: ReadableStream<Uint8Array>;
  readonly #expiresAt: number | undefined;
  readonly #versions = new Map<Topic, number>();
  readonly #missed = new Map<Topic, number | undefined>();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #wroteAt = performance.now();
  #hadRoomAt = performance.now();
  #count = 0;

  constructor(topics: readonly Topic[], { expiresAt, onLeave }: { readonly expiresAt: number | undefined; onLeave(viewer: Viewer): void }) {
    this.topics = topics;
    this.#expiresAt = expiresAt;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => {
          this.#controller = undefined;
          onLeave(this);
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: roomBytes }),
    );
    this.#write("retry: 2000\n\n");
  }

  get #hasRoom(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  /** Sends what it has not seen of its topics. False when it is over. */
  update(): boolean {
    if (!this.#controller) return false;
    if (this.#expiresAt !== undefined && this.#expiresAt <= Date.now()) return this.end("TOKEN_EXPIRED");
    if (this.#hasRoom) this.#hadRoomAt = performance.now();
    else if (performance.now() - this.#hadRoomAt > patienceMs) return this.#giveUp();
    for (const topic of this.topics) {
      if (topic.change === undefined || this.#versions.get(topic) === topic.version || !this.#hasRoom) continue;
      this.#versions.set(topic, topic.version);
      this.#send("change", topic.change);
    }
    if (performance.now() - this.#wroteAt > heartbeatMs) this.#write(":\n\n");
    return true;
  }

  /** Sends what came, with what this viewer could not take before. */
  tail(topic: Topic, came: Came): void {
    if (!this.#controller) return;
    const missed = this.#missed.has(topic) ? this.#missed.get(topic) : 0;
    const skipped = add(missed, came.skipped);
    if (!this.#hasRoom) {
      this.#missed.set(topic, add(skipped, came.rows.length));
      return;
    }
    this.#missed.delete(topic);
    this.#send("tail", topic.tailText({ rows: came.rows, skipped }));
  }

  end(code: LiveEnd["code"]): false {
    if (this.#controller) {
      this.#send("end", JSON.stringify({ code }));
      this.#controller.close();
      this.#controller = undefined;
    }
    return false;
  }

  #giveUp(): false {
    this.#controller?.error(new Error("The viewer did not read for a minute"));
    this.#controller = undefined;
    return false;
  }

  #send(event: string, json: string): void {
    this.#count++;
    this.#write(`id: ${this.#count}\nevent: ${event}\ndata: ${json}\n\n`);
  }

  #write(text: string): void {
    this.#wroteAt = performance.now();
    this.#controller?.enqueue(Buffer.from(text));
  }
}

function add(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}
