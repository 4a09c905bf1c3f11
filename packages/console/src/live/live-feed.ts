/*
 * DESIGN. All viewers of a process share one feed: a topic is read once for all who look at it, at most once a second, and not at all while nobody looks. A tick reads
 * every topic that somebody looks at, then hands each viewer what it has not seen. What is read is a state, so whoever comes again has missed nothing.
 */
import { Refusal } from "../http/refusal.ts";
import type { LogError } from "../log-error.ts";
import type { Source } from "./source.ts";
import { Topic } from "./topic.ts";
import { Viewer } from "./viewer.ts";

const tickMs = 1_000;
const mostViewers = 200;
const mostTopics = 1_000;

interface FeedSetup {
  /** Throws a refusal for a topic that there is not. */
  find(topic: string): Promise<Source>;
  readonly logError: LogError;
}

export class LiveFeed {
  readonly #setup: FeedSetup;
  readonly #viewers = new Set<Viewer>();
  readonly #topics = new Map<string, Topic>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(setup: FeedSetup) {
    this.#setup = setup;
  }

  /** Opens an event stream. Throws a refusal for topics that there are not, and when too many look. */
  async open(
    names: readonly string[],
    { expiresAt, signal }: { readonly expiresAt: number | undefined; readonly signal: AbortSignal },
  ): Promise<ReadableStream<Uint8Array>> {
    const sources = await Promise.all(names.map(async (name) => [name, await this.#setup.find(name)] as const));
    if (this.#isClosed) throw new Refusal({ status: 503, code: "CLOSED", title: "The console is closing" });
    if (this.#viewers.size >= mostViewers || this.#topics.size + names.length > mostTopics) {
      throw new Refusal({ status: 503, code: "TOO_MANY_VIEWERS", title: "Too many look at the console at the same time" });
    }
    const topics = sources.map(([name, source]) => this.#topicOf(name, source));
    const viewer = new Viewer(topics, { expiresAt, onLeave: (viewer) => this.#leave(viewer) });
    this.#viewers.add(viewer);
    signal.addEventListener("abort", () => this.#leave(viewer), { once: true });
    this.#schedule(0);
    return viewer.body;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const viewer of this.#viewers) viewer.end("CLOSED");
    this.#viewers.clear();
    this.#forgetTopics();
  }

  #topicOf(name: string, source: Source): Topic {
    let topic = this.#topics.get(name);
    if (!topic) this.#topics.set(name, (topic = new Topic(name, source)));
    return topic;
  }

  #leave(viewer: Viewer): void {
    if (this.#viewers.delete(viewer)) this.#forgetTopics();
  }

  /** Nothing is read of what nobody looks at. */
  #forgetTopics(): void {
    const seen = new Set([...this.#viewers].flatMap(({ topics }) => topics));
    for (const [name, topic] of this.#topics) {
      if (seen.has(topic)) continue;
      this.#topics.delete(name);
      topic.close();
    }
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed || this.#viewers.size === 0) return;
    this.#timer = setTimeout(() => this.#tick(), ms);
    // Whoever looks must not keep a process that has nothing else to do.
    this.#timer.unref();
  }

  #tick(): void {
    // Those who take long do not keep others waiting.
    for (const topic of this.#topics.values()) void this.#refresh(topic);
    this.#updateAll();
    this.#schedule(tickMs);
  }

  async #refresh(topic: Topic): Promise<void> {
    try {
      const before = topic.version;
      const [came] = await Promise.all([topic.takeTail(), topic.refresh()]);
      if (came) for (const viewer of this.#viewers) if (viewer.topics.includes(topic)) viewer.tail(topic, came);
      if (topic.version !== before) this.#updateAll();
    } catch (error) {
      if (!this.#isClosed) this.#setup.logError(error, "a topic could not be read", { topic: topic.name });
    }
  }

  #updateAll(): void {
    for (const viewer of this.#viewers) if (!viewer.update()) this.#leave(viewer);
  }
}
