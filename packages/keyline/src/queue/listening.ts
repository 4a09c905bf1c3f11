import type { Figures, RateRange } from "../figures/figures.ts";
import type { DeadTable } from "../postgres/job/dead-table.ts";
import type { QueueCounts } from "../runtime/counters.ts";
import type { Logger } from "../runtime/logger.ts";
import type { StreamTails } from "../valkey/client/stream-tails.ts";
import type { Sighting } from "../valkey/directory/sightings.ts";
import type { QueueStore } from "../valkey/queue/queue-store.ts";
import { AddWatch } from "./events/add-watch.ts";
import { followEvents } from "./events/event-reader.ts";
import { EventTeller } from "./events/event-teller.ts";
import type { EventsOptions, QueueEvent } from "./events/queue-event.ts";
import { Tracker } from "./events/tracker.ts";
import type { QueuePolicy } from "./options.ts";
import { DepthSampler } from "./rates/depth-sampler.ts";
import { toRates, type QueueRates } from "./rates/rate-summary.ts";
import { Tally } from "./rates/tally.ts";
import type { OutcomeShelf } from "./results/found.ts";
import { Waits } from "./results/waits.ts";

interface ListeningParts {
  readonly queue: string;
  readonly store: QueueStore;
  readonly tails: StreamTails;
  readonly shelf: OutcomeShelf;
  readonly policy: QueuePolicy;
  readonly sighting: Sighting;
  readonly figures: Figures;
  /** Only of a transactional queue. */
  readonly deadTable: DeadTable | undefined;
  readonly counts: QueueCounts;
  readonly logger: Logger;
}

/** What this process tells of one queue, and hears of it: results, events, rates. */
export class Listening {
  readonly teller: EventTeller;
  readonly tally: Tally;
  readonly adds: AddWatch;
  readonly waits: Waits;
  readonly #parts: ListeningParts;
  readonly #tracker: Tracker;
  readonly #closing = new AbortController();

  constructor(parts: ListeningParts) {
    const { queue, store, tails, shelf, policy, sighting, figures, deadTable, counts, logger } = parts;
    this.#parts = parts;
    this.teller = new EventTeller(store, logger);
    const sampler = new DepthSampler(store, { deadTable, noteTime: (now) => figures.noteTime(now), logger });
    this.tally = new Tally(figures, { sampler, counts, logger });
    this.adds = new AddWatch(store, { teller: this.teller, tally: this.tally, sighting, logger });
    this.#tracker = new Tracker(store, { leaseMs: policy.leaseMs, logger });
    this.waits = new Waits({ queue, store, shelf, tails, tracker: this.#tracker, keepMs: policy.keepResultMs, logger });
  }

  events(options: EventsOptions): AsyncIterableIterator<QueueEvent, undefined, void> {
    const { queue, store, tails, logger } = this.#parts;
    return followEvents({ queue, store, tails, tracker: this.#tracker, closing: this.#closing.signal, logger }, options);
  }

  async rates(range: RateRange): Promise<QueueRates> {
    const { figures, store } = this.#parts;
    const spans = await figures.read(range);
    if (range.unit === "hours") return toRates(spans, range);
    const depths = await store.depthSamples.read(range.count, spans.at(-1)?.at ?? 0);
    return toRates(
      spans.map((span, index) => ({ ...span, depth: depths[index] })),
      range,
    );
  }

  /** Nobody listens any longer; what is left to write is written. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.waits.close();
    await Promise.all([this.#tracker.stop(), this.tally.stop()]);
  }
}
