import type { Figures } from "../figures/figures.ts";
import { Flusher } from "../figures/flusher.ts";
import { seldomCounts, type StreamCounts } from "../runtime/counters.ts";
import type { Logger } from "../runtime/logger.ts";
import type { ShiftDuty } from "../work/shift-parts.ts";
import type { HeldEntry } from "./group/held-entry.ts";

/** What this process does with a stream, counted in memory. */
export class StreamTally {
  readonly figures: Figures;
  readonly #counts: StreamCounts;
  readonly #flusher: Flusher;
  #appended = 0;
  #consumed = 0;
  #failed = 0;
  #dead = 0;

  constructor(figures: Figures, { counts, logger }: { readonly counts: StreamCounts; readonly logger: Logger }) {
    this.figures = figures;
    this.#counts = counts;
    this.#flusher = new Flusher(figures, { take: () => this.#take(), logger });
  }

  noteAppended(entries: number): void {
    this.#appended += entries;
    this.#flusher.touch();
  }

  /** The duty that counts what becomes of a consumer's attempts. */
  duty<Data, Beat>(): ShiftDuty<HeldEntry<Data>, Beat> {
    return {
      start: () => undefined,
      stop: () => Promise.resolve(),
      follow: () => this.#noteSeldom(),
      noteEnded: ({ verdict, attempt }) => {
        if (!attempt || !verdict) return;
        if (verdict.kind === "settle" || (verdict.kind === "drop" && !verdict.error)) this.#consumed++;
        else if (verdict.kind === "bury" || (verdict.kind === "retry" && verdict.error)) this.#failed++;
        if (verdict.kind === "bury") this.#dead++;
        this.#flusher.touch();
      },
    };
  }

  /** Writes what there is. */
  stop(): Promise<void> {
    this.#noteSeldom();
    return this.#flusher.stop();
  }

  #noteSeldom(): void {
    const counts = this.#counts;
    if (seldomCounts.some((name) => counts.sum(name) > counts.written[name])) this.#flusher.touch();
  }

  #take(): Map<string, number> {
    const counts: Record<string, number> = { appended: this.#appended, consumed: this.#consumed, failed: this.#failed, dead: this.#dead };
    const { written } = this.#counts;
    for (const name of seldomCounts) {
      const sum = this.#counts.sum(name);
      counts[name] = sum - written[name];
      written[name] = sum;
    }
    this.#appended = this.#consumed = this.#failed = this.#dead = 0;
    return new Map(Object.entries(counts).filter(([, count]) => count > 0));
  }
}
