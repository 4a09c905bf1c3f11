import { setImmediate } from "../../runtime/clock.ts";
import { explainSend } from "../../valkey/client/faults.ts";
import type { PlacedElement } from "../../valkey/queue/adds.ts";
import { ElementBatch } from "../../valkey/queue/element-batch.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { encodeElement, encodeSimple } from "../element.ts";
import type { AddWatch } from "../events/add-watch.ts";
import type { AddResult } from "../options.ts";
import { placedElement, type Placement } from "./placement.ts";

/** A job that is to be added, checked and written as JSON. */
export interface AddRequest {
  readonly id: string;
  readonly isOwnId: boolean;
  readonly dataJson: string;
  readonly maxAttempts: number | undefined;
  /** Undefined for a job that simply goes to the tail. */
  readonly placement: Placement | undefined;
  /** For how many milliseconds its result is kept; undefined where nobody said so. */
  readonly keepMs: number | undefined;
  /** It is the child of another job. */
  readonly isChild?: boolean;
  /** Where somebody wants to know of it: runtime/probe.ts. */
  readonly trace?: string;
}

/** The way in which a queue adds jobs: `adder.ts` to Valkey alone, `transactional-adder.ts` to PostgreSQL first. */
export interface Adder {
  add(request: AddRequest): Promise<AddResult>;
  addMany(requests: readonly AddRequest[]): Promise<AddResult[]>;
  /** Resolves when everything that was added so far is there, or has failed. */
  drained(): Promise<void>;
}

const pageElements = 250;
const pageLength = 262_144;
const readyWithinMs = 5_000;

type Insure = <Reply>(push: () => Promise<Reply>) => Promise<Reply>;

/** Adds of one turn of the event loop that travel with one command. */
abstract class Page<Reply> {
  readonly #reply = Promise.withResolvers<Reply>();
  /** How many of them were added, as far as that is known. */
  added = 0;

  abstract get isFull(): boolean;
  protected abstract push(store: QueueStore): Promise<Reply>;

  /** How many were added, as the reply says. */
  protected abstract countIn(reply: Reply): number;

  protected get reply(): Promise<Reply> {
    return this.#reply.promise;
  }

  /** Resolves when it is known what became of it. */
  send(store: QueueStore, insure: Insure): Promise<void> {
    return insure(() => this.push(store)).then((reply) => {
      this.added = this.countIn(reply);
      this.#reply.resolve(reply);
    }, this.#reply.reject);
  }
}

class PlainPage extends Page<void> {
  /** Only where they are to be told. */
  readonly ids: string[] = [];
  readonly #elements = new ElementBatch();

  get isFull(): boolean {
    return this.#elements.count >= pageElements || this.#elements.length >= pageLength;
  }

  add({ id, dataJson, maxAttempts, keepMs, trace }: AddRequest): Promise<AddResult> {
    const at = Date.now();
    const isSimple = maxAttempts === undefined && keepMs === undefined && trace === undefined;
    const element = isSimple ? encodeSimple(id, dataJson, at) : encodeElement({ id, dataJson, at, maxAttempts, keepMs, trace });
    // All but the data is ASCII, and the data is one flat string, which is quick to measure.
    this.#elements.add(element, element.length - dataJson.length + Buffer.byteLength(dataJson));
    return this.reply.then(() => ({ id, added: true }));
  }

  protected push(store: QueueStore): Promise<void> {
    return store.adds.push(this.#elements);
  }

  protected countIn(): number {
    return this.#elements.count;
  }
}

class OwnIdPage extends Page<readonly boolean[]> {
  readonly #idsAndElements: string[] = [];
  #length = 0;

  get isFull(): boolean {
    return this.#idsAndElements.length >= 2 * pageElements || this.#length >= pageLength;
  }

  add({ id, dataJson, maxAttempts, keepMs, trace }: AddRequest): Promise<AddResult> {
    const index = this.#idsAndElements.length / 2;
    const element = encodeElement({ id, dataJson, at: Date.now(), maxAttempts, hasOwnId: true, keepMs, trace });
    this.#idsAndElements.push(id, element);
    this.#length += element.length;
    return this.reply.then((added) => ({ id, added: added[index] === true }));
  }

  protected push(store: QueueStore): Promise<readonly boolean[]> {
    return store.adds.pushWithIds(this.#idsAndElements);
  }

  protected countIn(added: readonly boolean[]): number {
    return added.filter((one) => one).length;
  }
}

class PlacedPage extends Page<readonly (string | undefined)[]> {
  readonly #jobs: PlacedElement[] = [];
  #length = 0;

  get isFull(): boolean {
    return this.#jobs.length >= pageElements || this.#length >= pageLength;
  }

  add(request: AddRequest): Promise<AddResult> {
    const index = this.#jobs.length;
    const job = placedElement({ ...request, at: Date.now() });
    this.#jobs.push(job);
    this.#length += job.element.length;
    return this.reply.then((others) => ({ id: others[index] ?? request.id, added: others[index] === undefined }));
  }

  protected push(store: QueueStore): Promise<readonly (string | undefined)[]> {
    return store.adds.place(this.#jobs);
  }

  protected countIn(others: readonly (string | undefined)[]): number {
    return others.filter((other) => other === undefined).length;
  }
}

type AnyPage = PlainPage | OwnIdPage | PlacedPage;

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
    const Kind = request.placement ? PlacedPage : request.isOwnId ? OwnIdPage : PlainPage;
    const page = this.#openPage(Kind);
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
