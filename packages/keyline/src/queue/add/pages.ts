import type { PlacedElement } from "../../valkey/queue/adds.ts";
import { ElementBatch } from "../../valkey/queue/element-batch.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { encodeElement, encodeSimple } from "../element.ts";
import type { AddResult } from "../options.ts";
import type { AddRequest } from "./add-request.ts";
import { placedElement } from "./placement.ts";

const pageElements = 250;
const pageLength = 262_144;
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

export class PlainPage extends Page<unknown> {
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

  protected push(store: QueueStore): Promise<unknown> {
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

/** Jobs that only wait for their time. */
class ScheduledPage extends Page<void> {
  readonly #timesAndElements: string[] = [];
  #length = 0;

  get isFull(): boolean {
    return this.#timesAndElements.length >= 2 * pageElements || this.#length >= pageLength;
  }

  add({ id, dataJson, maxAttempts, keepMs, trace, placement }: AddRequest): Promise<AddResult> {
    const { delayMs, runAt, priority } = placement ?? {};
    const element = encodeElement({ id, dataJson, at: Date.now(), maxAttempts, priority, keepMs, trace });
    this.#timesAndElements.push(delayMs === undefined ? String(runAt) : `+${delayMs}`, element);
    this.#length += element.length;
    return this.reply.then(() => ({ id, added: true }));
  }

  protected push(store: QueueStore): Promise<void> {
    return store.adds.schedule(this.#timesAndElements);
  }

  protected countIn(): number {
    return this.#timesAndElements.length / 2;
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

export type AnyPage = PlainPage | OwnIdPage | ScheduledPage | PlacedPage;

/** The kind of page that a job goes on. */
export function pageKindOf({ placement, isOwnId }: AddRequest): new () => AnyPage {
  if (!placement) return isOwnId ? OwnIdPage : PlainPage;
  const isTimed = placement.delayMs !== undefined || placement.runAt !== undefined;
  return isTimed && !isOwnId && !placement.once && placement.group === undefined ? ScheduledPage : PlacedPage;
}
