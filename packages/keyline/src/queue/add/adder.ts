import { setImmediate } from "../../runtime/clock.ts";
import { explainSend } from "../../valkey/client/faults.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import type { AddWatch } from "../events/add-watch.ts";
import type { AddResult } from "../options.ts";
import type { AddRequest } from "./add-request.ts";
import { pageKindOf, PlainPage, type AnyPage } from "./pages.ts";

/** The way in which a queue adds jobs: `adder.ts` to Valkey alone, `transactional-adder.ts` to PostgreSQL first. */
export interface Adder {
  add(request: AddRequest): Promise<AddResult>;
  addMany(requests: readonly AddRequest[]): Promise<AddResult[]>;
  /** Resolves when everything that was added so far is there, or has failed. */
  drained(): Promise<void>;
}

const readyWithinMs = 5_000;

/**
 * Adds to a plain queue: all of one turn of the event loop travel together, as a few commands, so that the server works on the
 * first while this process hears of none yet. Jobs with ids of the caller's and jobs that have a place of their own go by other commands; each
 * change between them begins a new page, so that all are there in the order of the calls.
 */
export class PlainAdder implements Adder {
  readonly #store: QueueStore;
  readonly #queue: string;
  readonly #watch: AddWatch;
  #pages: AnyPage[] = [];
  readonly #underWay = new Set<Promise<void>>();

  constructor(store: QueueStore, queue: string, watch: AddWatch) {
    this.#store = store;
    this.#queue = queue;
    this.#watch = watch;
  }

  add(request: AddRequest): Promise<AddResult> {
    const page = this.#openPage(pageKindOf(request));
    const adding = page.add(request);
    if (this.#watch.isFollowed) this.#tell(request, page, adding);
    return adding;
  }

  // What simply goes to the tail is told right behind it, before a worker can tell that it has begun.
  #tell({ id }: AddRequest, page: AnyPage, adding: Promise<AddResult>): void {
    if (page instanceof PlainPage) page.ids.push(id);
    else adding.then((answer) => void (answer.added && this.#watch.tell(answer.id)), ignore);
  }

  addMany(requests: readonly AddRequest[]): Promise<AddResult[]> {
    return Promise.all(requests.map((request) => this.add(request)));
  }

  async drained(): Promise<void> {
    this.#sendPages();
    await Promise.all(this.#underWay);
  }

  #openPage(Kind: new () => AnyPage): AnyPage {
    const last = this.#pages.at(-1);
    if (last && !last.isFull && last.constructor === Kind) return last;
    if (!last) setImmediate(() => this.#sendPages());
    const page = new Kind();
    this.#pages.push(page);
    return page;
  }

  #sendPages(): void {
    const pages = this.#pages;
    this.#pages = [];
    for (const page of pages) {
      const sending = page
        .send(this.#store, (push) => this.#insure(push))
        .finally(() => {
          this.#underWay.delete(sending);
          if (page.added > 0) this.#watch.count(page.added);
        });
      this.#underWay.add(sending);
      if (page instanceof PlainPage) this.#watch.tellPushed(page.ids);
    }
    if (pages.length > 0 && this.#store.connection.isReady) this.#watch.look();
  }

  async #insure<Result>(send: () => Promise<Result>): Promise<Result> {
    if (!this.#store.connection.isReady) await this.#store.connection.ensureReady(readyWithinMs);
    try {
      return await send();
    } catch (error) {
      const unknown = `The connection to Valkey broke while jobs were added to queue ${this.#queue}: some, all or none of them are there. With ids of your own they can be added again: one that still waits is not added twice`;
      throw explainSend(error, unknown);
    }
  }
}

function ignore(): void {
  // Whoever adds hears of it.
}
