import { performance } from "../../runtime/clock.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Sighting } from "../../valkey/directory/sightings.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { Tally } from "../rates/tally.ts";
import type { EventTeller } from "./event-teller.ts";

const lookEveryMs = 1_000;

interface AddWatchParts {
  readonly teller: EventTeller;
  readonly tally: Tally;
  readonly sighting: Sighting;
  readonly logger: Logger;
}

/** Counts what this process adds, and tells it where somebody follows events: whoever adds looks once a second at the most, beside its adds. */
export class AddWatch {
  readonly #store: QueueStore;
  readonly #parts: AddWatchParts;
  #isFollowed = false;
  #nextLook = -Infinity;

  constructor(store: QueueStore, parts: AddWatchParts) {
    this.#store = store;
    this.#parts = parts;
  }

  /** Whether each job is to be told. */
  get isFollowed(): boolean {
    return this.#isFollowed;
  }

  /** So many are on their way. */
  look(): void {
    const now = performance.now();
    if (now < this.#nextLook) return;
    this.#nextLook = now + lookEveryMs;
    this.#store.tracked.kinds().then(
      (kinds) => (this.#isFollowed = kinds.includes("events")),
      (error: unknown) => this.#parts.logger.debug({ error: toError(error).message }, "who follows events could not be read"),
    );
  }

  /** The queue is used, whatever becomes of it. */
  noteUse(): void {
    this.#parts.sighting.touch();
  }

  count(added: number): void {
    this.#parts.sighting.touch();
    this.#parts.tally.noteAdded(added);
  }

  tell(id: string): void {
    if (this.#isFollowed) this.#parts.teller.tell("added", id, undefined);
  }

  /** What was sent to the tail right before: where that is refused, so is this. */
  tellPushed(ids: readonly string[]): void {
    if (ids.length === 0 || !this.#store.connection.isReady) return;
    const events = ids.map((id) => ({ what: "added", id, details: "" }));
    this.#store.events.tellAdded(events).catch((error: unknown) => {
      this.#parts.logger.debug({ error: toError(error).message }, "what was added could not be told");
    });
  }

  /** What was added by a step that is done. */
  noteAll(answers: readonly { readonly id: string; readonly added: boolean }[]): void {
    if (this.#store.connection.isReady) this.look();
    let count = 0;
    for (const { id, added } of answers) {
      if (!added) continue;
      count++;
      this.tell(id);
    }
    if (count > 0) this.count(count);
  }
}
