import { queueMicrotask } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { TellableEvent } from "../../valkey/queue/events.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

const page = 200;

/** Tells what becomes of jobs where that is no part of another step: all of one turn together, and before what is sent later. */
export class EventTeller {
  readonly #store: QueueStore;
  readonly #logger: Logger;
  #events: TellableEvent[] = [];

  constructor(store: QueueStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  tell(what: string, id: string, details: object | undefined): void {
    if (this.#events.length === 0) queueMicrotask(() => this.flush());
    this.#events.push({ what, id, details: details ? JSON.stringify(details) : "" });
  }

  /** Sends what is there: before something that is to be told behind it. */
  flush(): void {
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    for (let first = 0; first < events.length; first += page) {
      this.#store.events.tell(events.slice(first, first + page)).catch((error: unknown) => {
        this.#logger.debug({ error: toError(error).message }, "events of a queue could not be told");
      });
    }
  }
}
