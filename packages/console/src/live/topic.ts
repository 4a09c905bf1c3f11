import type { Came, Source } from "./source.ts";
import { TailReader } from "./tail-reader.ts";

const shortestMs = 1_000;
/** What is dear to read is read less often. Not much, as what takes long may be a store that is away, whose return should be seen soon. */
const restShare = 10;
const longestMs = 3_000;

/** One of the things that viewers look at. It is read once for all of them. */
export class Topic {
  readonly name: string;
  readonly #source: Source;
  /** What comes, for all who look; undefined for a topic that only has a state. */
  readonly tail: TailReader | undefined;
  /** Up to where those were told who take it from that tail. */
  place: string | undefined;
  #readAt = -Infinity;
  #restMs = shortestMs;
  #isReading = false;
  #compared: string | undefined;
  /** Counts what was read, as far as it differs. */
  version = 0;
  /** The newest, as it is sent; undefined before anything was read. */
  change: string | undefined;

  constructor(name: string, source: Source) {
    this.name = name;
    this.#source = source;
    this.tail = source.openTail && new TailReader(source.openTail());
  }

  /** Reads what is there now, unless that was done a moment ago. */
  async refresh(): Promise<void> {
    const { read, kind } = this.#source;
    if (!read || this.#isReading || performance.now() - this.#readAt < this.#restMs) return;
    this.#isReading = true;
    const startedAt = performance.now();
    // A tick that comes a few milliseconds early must not be one for nothing.
    this.#readAt = startedAt - shortestMs / 10;
    try {
      const data = await read();
      this.#restMs = Math.min(longestMs, Math.max(shortestMs, restShare * (performance.now() - startedAt)));
      const compared = JSON.stringify(data && { ...data, at: undefined });
      if (compared === this.#compared) return;
      this.#compared = compared;
      this.change = JSON.stringify({ kind, topic: this.name, at: Date.now(), data });
      this.version++;
    } finally {
      this.#isReading = false;
    }
  }

  /** What came behind a place, for somebody who was away; undefined where there is no going on from it. */
  tailBehind(place: string): TailReader | undefined {
    if (place === "" || !this.#source.openTail) return undefined;
    try {
      return new TailReader(this.#source.openTail(place));
    } catch {
      return undefined;
    }
  }

  tailText({ rows, skipped }: Came): string {
    return JSON.stringify({ kind: this.tail?.kind, topic: this.name, at: Date.now(), rows, skipped: skipped ?? null });
  }

  close(): void {
    this.tail?.close();
  }
}
