/*
 * DESIGN. All viewers of a process share one feed: a topic is read once for all who look at it, at most once a second, and not at all while nobody looks. A tick reads
 * every topic that somebody looks at, then hands each viewer what it has not seen. What is read is a state, so whoever comes again has missed nothing of it.
 *
 * What comes on a topic is a row of rows, each behind the one before, and has a place behind each. Whoever comes again with the place up to where they were told has a tail
 * of their own from there, until they stand where the others stand: then both would be told the same from there on, and they are told with the others. Where there is no
 * going on from a place, and where too much was missed, a gap is told instead.
 */
import { Refusal } from "../http/refusal.ts";
import type { LogError } from "../log-error.ts";
import { parsePlaces } from "./places.ts";
import type { Came, Source } from "./source.ts";
import { Topic } from "./topic.ts";
import { Viewer } from "./viewer.ts";

const tickMs = 1_000;
const mostViewers = 200;
const mostTopics = 1_000;
/** Something is missing, and nobody knows how much. */
const gap: Came = { rows: [], skipped: undefined };

interface FeedSetup {
  /** Throws a refusal for a topic that there is not. */
  find(topic: string): Promise<Source>;
  readonly logError: LogError;
}

interface Opening {
  /** When its token ends. */
  readonly expiresAt: number | undefined;
  readonly signal: AbortSignal;
  /** Of the last event that came on the connection before. */
  readonly lastEventId: string | undefined;
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
  async open(names: readonly string[], { expiresAt, signal, lastEventId = "" }: Opening): Promise<ReadableStream<Uint8Array>> {
    const sources = await Promise.all(names.map(async (name) => [name, await this.#setup.find(name)] as const));
    if (this.#isClosed) throw new Refusal({ status: 503, code: "CLOSED", title: "The console is closing" });
    if (this.#viewers.size >= mostViewers || this.#topics.size + names.length > mostTopics) {
      throw new Refusal({ status: 503, code: "TOO_MANY_VIEWERS", title: "Too many look at the console at the same time" });
    }
    const topics = sources.map(([name, source]) => this.#topicOf(name, source));
    const viewer = new Viewer(topics, { expiresAt, onLeave: (viewer) => this.#leave(viewer) });
    this.#viewers.add(viewer);
    const places = parsePlaces(lastEventId);
    for (const topic of topics) begin(viewer, topic, places.get(topic.name));
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
    for (const viewer of this.#viewers) {
      viewer.end("CLOSED");
      viewer.leave();
    }
    this.#viewers.clear();
    this.#forgetTopics();
  }

  #topicOf(name: string, source: Source): Topic {
    let topic = this.#topics.get(name);
    if (!topic) this.#topics.set(name, (topic = new Topic(name, source)));
    return topic;
  }

  #leave(viewer: Viewer): void {
    viewer.leave();
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
    for (const topic of this.#topics.values()) {
      void this.#attempt(topic, this.#refresh(topic));
      void this.#attempt(topic, this.#tell(topic));
    }
    this.#updateAll();
    this.#schedule(tickMs);
  }

  async #attempt(topic: Topic, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!this.#isClosed) this.#setup.logError(error, "a topic could not be read", { topic: topic.name });
    }
  }

  async #refresh(topic: Topic): Promise<void> {
    const before = topic.version;
    await topic.refresh();
    if (topic.version !== before) this.#updateAll();
  }

  /** Rows do not wait for the state, which may take long: later ones would overtake them. */
  async #tell(topic: Topic): Promise<void> {
    if (!topic.tail) return;
    const taken = await topic.tail.take();
    if (taken) topic.place = taken.place;
    const viewers = [...this.#viewers].filter(({ topics }) => topics.includes(topic));
    for (const viewer of viewers) if (!viewer.ownTail(topic)) viewer.tell(topic, taken?.came, topic.place);
    await Promise.all(viewers.map((viewer) => tellOwn(viewer, topic)));
  }

  #updateAll(): void {
    for (const viewer of this.#viewers) if (!viewer.update()) this.#leave(viewer);
  }
}

function begin(viewer: Viewer, topic: Topic, place: string | undefined): void {
  if (!topic.tail) return;
  const own = place === undefined ? undefined : topic.tailBehind(place);
  if (own) viewer.follow(topic, own);
  else viewer.tell(topic, place === undefined ? undefined : gap, topic.place);
}

async function tellOwn(viewer: Viewer, topic: Topic): Promise<void> {
  const own = viewer.ownTail(topic);
  if (!own) return;
  const taken = await own.take();
  if (!taken || viewer.ownTail(topic) !== own) return;
  const { came, place } = taken;
  viewer.tell(topic, came, place);
  if (own.isOver) viewer.tell(topic, gap, topic.place);
  // Compared with what the others were told, not with what is about to be.
  if (own.isOver || (place !== undefined && place === topic.place)) viewer.join(topic);
}
