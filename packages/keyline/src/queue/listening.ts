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
    const { queue, store, tails, shelf, policy, sighting, logger } = parts;
    this.#parts = parts;
    this.teller = new EventTeller(store, logger);
    this.tally = new Tally(store, logger);
    this.adds = new AddWatch(store, { teller: this.teller, tally: this.tally, sighting, logger });
    this.#tracker = new Tracker(store, { leaseMs: policy.leaseMs, logger });
    this.waits = new Waits({ queue, store, shelf, tails, tracker: this.#tracker, keepMs: policy.keepResultMs, logger });
  }

  events(options: EventsOptions): AsyncIterableIterator<QueueEvent, undefined, void> {
    const { queue, store, tails, logger } = this.#parts;
    return followEvents({ queue, store, tails, tracker: this.#tracker, closing: this.#closing.signal, logger }, options);
  }

  async rates(minutes: number): Promise<QueueRates> {
    const { store } = this.#parts;
    await store.connection.ensureReady(5_000);
    return toRates(await store.rates.read(minutes));
  }

  /** Nobody listens any longer; what is left to write is written. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.waits.close();
    await Promise.all([this.#tracker.stop(), this.tally.stop()]);
  }
}
