import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { isKept, readHead } from "../element.ts";
import { findElement, findElements, type FoundElement } from "../jobs/job-finder.ts";
import type { ListEnds } from "../jobs/second-look.ts";
import { readWhy } from "../letters/dead-letter.ts";
import { none, open, type Found, type OutcomeShelf } from "./found.ts";

/** What became of the jobs of a plain queue: everything is on Valkey. What has not ended is found only by looking through the queue. */
export class OutcomesOnValkey implements OutcomeShelf {
  readonly #store: QueueStore;

  constructor(store: QueueStore) {
    this.#store = store;
  }

  async find(ids: readonly string[]): Promise<readonly Found[]> {
    return (await this.#store.outcomes.find(ids)).map(toFound);
  }

  async seek(ids: ReadonlySet<string>, ends: ListEnds): Promise<ReadonlyMap<string, boolean>> {
    const there = new Map<string, boolean>();
    for (const { raw } of await this.#findElements([...ids], ends)) there.set(readHead(raw)?.id ?? "", isKept(raw));
    return there;
  }

  async #findElements(ids: readonly string[], ends: ListEnds): Promise<FoundElement[]> {
    const [first, ...others] = ids;
    if (first === undefined) return [];
    if (others.length > 0) return findElements(this.#store, ids, ends);
    const found = await findElement(this.#store, first, ends);
    return found ? [found] : [];
  }
}

function toFound(text: string): Found {
  if (text === "") return none;
  if (text === "open") return open;
  if (text.startsWith("dead ")) {
    const { reason = "", attempts = 0 } = readWhy(text.slice("dead ".length));
    return { state: "dead", reason, attempts };
  }
  return readOutcome(text);
}

/** `{"outcome":"completed","value":...}`, or with the outcome "cancelled". */
function readOutcome(text: string): Found {
  const { outcome, value } = JSON.parse(text) as { readonly outcome: string; readonly value?: unknown };
  if (outcome === "cancelled") return { state: "cancelled" };
  return { state: "completed", json: value === undefined ? undefined : JSON.stringify(value) };
}
