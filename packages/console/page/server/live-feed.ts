import { addressOf, send } from "./request.ts";
import { ApiFailed } from "./api-failed.ts";
import { readEvents } from "./event-stream.ts";

/** `refused`: without another token there is no feed. */
export type FeedState = "connecting" | "live" | "lost" | "refused";
type TopicListener = (event: { readonly type: string; readonly data: unknown }) => void;

const settleMs = 60;
const firstRetryMs = 500;
const longestRetryMs = 8_000;
/** The server says something at least every 15 s: when it is silent for longer the connection is dead, whatever the network thinks. */
const silenceMs = 40_000;
/** A page that nobody looks at reads nothing. */
const hiddenMs = 30_000;
/** After that long a thing that there was not is asked for again: the server looks for new ones every other second. */
const unknownMs = 4_000;

/**
 * One connection for everything that the page wants to hear of. It is made anew when the page wants to hear of something else, and
 * when it was lost, and goes on behind the last event that came.
 */
export class LiveFeed {
  readonly #topics = new Map<string, Set<TopicListener>>();
  readonly #watchers = new Set<() => void>();
  #state: FeedState = "connecting";
  #connection: AbortController | undefined;
  /** Says of each topic up to where it was told. */
  #lastId = "";
  #asked = "";
  /** Of these there is not every one. */
  #unknown = "";
  #again: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retryMs = firstRetryMs;

  constructor() {
    let hidden: ReturnType<typeof setTimeout> | undefined;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(hidden);
      if (document.hidden) hidden = setTimeout(() => this.#stop(), hiddenMs);
      else if (!this.#connection) this.connect();
    });
    addEventListener("online", () => this.connect());
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Hears of a topic until what it returns is called. */
  hear(topic: string, listener: TopicListener): () => void {
    const listeners = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, listeners.add(listener));
    this.#settle();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#topics.delete(topic);
      this.#settle();
    };
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** At once: there is another token, or the network is back. */
  connect(): void {
    this.#stop();
    this.#retryMs = firstRetryMs;
    void this.#run();
  }

  /** Going from one view to the next drops topics and takes others: one new connection for all of them. */
  #settle(): void {
    if (this.#state === "refused") return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#topicsText() !== this.#asked || !this.#connection) void this.#run();
    }, settleMs);
  }

  #topicsText(): string {
    return [...this.#topics.keys()].sort().join(",");
  }

  #stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.#connection?.abort();
    this.#connection = undefined;
  }

  async #run(): Promise<void> {
    this.#stop();
    const topics = this.#topicsText();
    this.#asked = topics;
    if (topics === "") return;
    const connection = new AbortController();
    this.#connection = connection;
    try {
      await this.#listen(topics === this.#unknown ? this.#certain(topics) : topics, connection);
    } catch (error) {
      if (connection.signal.aborted && this.#connection !== connection) return;
      if (error instanceof ApiFailed && (error.status === 401 || error.status === 403)) return this.#become("refused");
      if (error instanceof ApiFailed && error.status === 404 && topics !== this.#unknown) {
        this.#unknown = topics;
        for (const topic of this.#topics.keys()) if (isOfThing(topic)) this.#tell("unknown", { topic });
        return void this.#run();
      }
    }
    if (this.#connection !== connection) return;
    this.#become("lost");
    this.#timer = setTimeout(() => void this.#run(), this.#retryMs);
    this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 2);
  }

  /** Those of no thing, of which there is every one: the page of a thing that there is not goes on hearing of the others. */
  #certain(topics: string): string {
    this.#again = setTimeout(() => {
      this.#unknown = "";
      void this.#run();
    }, unknownMs);
    return topics
      .split(",")
      .filter((topic) => !isOfThing(topic))
      .join(",");
  }

  async #listen(topics: string, connection: AbortController): Promise<void> {
    const headers = { accept: "text/event-stream", ...(this.#lastId !== "" && { "last-event-id": this.#lastId }) };
    const response = await send(addressOf("live", { topics }), { headers, signal: connection.signal });
    if (!response.body) return;
    this.#retryMs = firstRetryMs;
    this.#become("live");
    let silence = setTimeout(() => connection.abort(), silenceMs);
    const alive = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          clearTimeout(silence);
          silence = setTimeout(() => connection.abort(), silenceMs);
          controller.enqueue(chunk);
        },
      }),
    );
    try {
      for await (const { id, type, data } of readEvents(alive)) {
        if (id !== undefined) this.#lastId = id;
        if (data !== "") this.#tell(type, JSON.parse(data));
      }
    } finally {
      clearTimeout(silence);
    }
  }

  #tell(type: string, data: unknown): void {
    const topic: unknown = typeof data === "object" && data !== null && "topic" in data ? data.topic : type;
    for (const listener of this.#topics.get(String(topic)) ?? []) listener({ type, data });
  }

  #become(state: FeedState): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const watcher of this.#watchers) watcher();
  }
}

function isOfThing(topic: string): boolean {
  return topic.includes(":");
}
