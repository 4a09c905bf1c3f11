import { performance } from "../../runtime/clock.ts";
import { randomTag } from "../../runtime/ids.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";

/** What the server of a queue was like when it was asked. */
export interface ServerState {
  /** The name of its memory. */
  readonly epoch: string;
  /** Its time in milliseconds. */
  readonly now: number;
}

const holdsMs = 1_000;

/** What the servers of queues are like, as they were asked within the last second: an older answer than the present one only means that more is looked at again. */
export class EpochBook {
  readonly #storeOf: (queue: string) => QueueStore;
  readonly #known = new Map<string, { readonly askedAt: number; readonly state: Promise<ServerState> }>();

  constructor(storeOf: (queue: string) => QueueStore) {
    this.#storeOf = storeOf;
  }

  async of(queue: string): Promise<ServerState> {
    const known = this.#known.get(queue);
    const askedAt = performance.now();
    if (known && askedAt - known.askedAt < holdsMs) return known.state;
    const state = this.#ask(queue);
    this.#known.set(queue, { askedAt, state });
    state.catch(() => this.#known.delete(queue));
    return state;
  }

  async #ask(queue: string): Promise<ServerState> {
    const { memory, families } = this.#storeOf(queue);
    const [epoch, now] = await Promise.all([memory.epoch(randomTag(12)), families.now()]);
    return { epoch, now };
  }
}
