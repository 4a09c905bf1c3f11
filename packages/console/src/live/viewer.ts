import type { LiveEnd } from "../api/live.ts";
import { formatPlaces } from "./places.ts";
import type { Came } from "./source.ts";
import type { TailReader } from "./tail-reader.ts";
import type { Topic } from "./topic.ts";

const roomBytes = 1_048_576;
const heartbeatMs = 15_000;
const patienceMs = 60_000;

/**
 * One open event stream. Whoever reads slowly gets the newest of each topic when there is room again, and is told how many rows it missed. The id of its events says up to
 * where it was told, so that whoever comes again with it goes on there.
 */
export class Viewer {
  readonly topics: readonly Topic[];
  readonly body: ReadableStream<Uint8Array>;
  readonly #expiresAt: number | undefined;
  readonly #versions = new Map<Topic, number>();
  readonly #missed = new Map<Topic, number | undefined>();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #wroteAt = performance.now();
  #hadRoomAt = performance.now();
  readonly #places = new Map<Topic, string>();
  /** Of who has come again and is not yet as far as the others. */
  readonly #ownTails = new Map<Topic, TailReader>();
  #id = "";
  #sentId = "";

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
    // An id alone: what is told next may be told to a connection that is gone.
    if (this.#id !== this.#sentId && this.#hasRoom) this.#write(`id: ${(this.#sentId = this.#id)}\n\n`);
    if (performance.now() - this.#wroteAt > heartbeatMs) this.#write(":\n\n");
    return true;
  }

  /** Sends what came, if anything did, with what this viewer could not take before. Behind it the viewer stands at `place`. */
  tell(topic: Topic, came: Came | undefined, place: string | undefined): void {
    if (!this.#controller) return;
    const isBehind = this.#missed.has(topic);
    if (came || isBehind) {
      const { rows, skipped } = came ?? { rows: [], skipped: 0 };
      const missed = add(isBehind ? this.#missed.get(topic) : 0, skipped);
      if (!this.#hasRoom) {
        this.#missed.set(topic, add(missed, rows.length));
        return;
      }
      this.#missed.delete(topic);
      this.#stand(topic, place);
      this.#send("tail", topic.tailText({ rows, skipped: missed }));
      return;
    }
    this.#stand(topic, place);
  }

  /** It is told by this tail, until `join`. */
  follow(topic: Topic, tail: TailReader): void {
    this.#ownTails.set(topic, tail);
    this.#stand(topic, tail.place);
  }

  ownTail(topic: Topic): TailReader | undefined {
    return this.#ownTails.get(topic);
  }

  /** From now on it is told with the others. */
  join(topic: Topic): void {
    this.#ownTails.get(topic)?.close();
    this.#ownTails.delete(topic);
  }

  /** Nobody tells it anything any more. */
  leave(): void {
    for (const topic of this.#ownTails.keys()) this.join(topic);
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

  #stand(topic: Topic, place: string | undefined): void {
    if (place === undefined || this.#places.get(topic) === place) return;
    this.#places.set(topic, place);
    this.#id = formatPlaces(this.#places);
  }

  #send(event: string, json: string): void {
    this.#sentId = this.#id;
    this.#write(`id: ${this.#id}\nevent: ${event}\ndata: ${json}\n\n`);
  }

  #write(text: string): void {
    this.#wroteAt = performance.now();
    this.#controller?.enqueue(Buffer.from(text));
  }
}

function add(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}
