import { newId } from "../../runtime/ids.ts";
import { firstSize, nextSize, type NextChildren, type Origin } from "../../valkey/queue/families.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { EpochBook, type ServerState } from "./epoch-book.ts";
import { childOf, familyOfElement, Numbering, readRow, type FamilyRow } from "./family-rows.ts";

interface MoverParts {
  storeOf(queue: string): QueueStore;
  /** These were added to a queue. */
  noteAdded(queue: string, ids: readonly string[]): void;
}

/** Whose children are brought to their queues. */
interface Parent {
  readonly queue: string;
  readonly family: string;
  /** Those of the children. */
  readonly queues: readonly string[];
}

/** A child on its way to its queue. */
interface Arrival {
  readonly row: FamilyRow;
  readonly number: number;
  readonly mark: string;
  readonly element: string;
}

/** Rows of all children of a batch, in their order. */
interface KnownRows {
  readonly batch: string;
  readonly rows: readonly string[];
}

type States = ReadonlyMap<string, ServerState>;

/** So long after it was read that children are to be brought they may be: the slots of their queues remember for five minutes which have come and ended. */
const patienceMs = 60_000;

/** Brings children of plain queues from the slot of their parent to those of their own queues. As often as it is done, and whoever does it, each is added once. */
export class FamilyMover {
  readonly book: EpochBook;
  readonly #parts: MoverParts;

  constructor(parts: MoverParts) {
    this.#parts = parts;
    this.book = new EpochBook((queue) => parts.storeOf(queue));
  }

  /** The memories of all servers that have something of the family, as text. */
  async epochs({ queue, queues }: Parent): Promise<{ readonly text: string; readonly states: States }> {
    const names = [...new Set([queue, ...queues])].toSorted();
    const states = new Map(await Promise.all(names.map(async (name) => [name, await this.book.of(name)] as const)));
    return { text: names.map((name) => `${name}=${states.get(name)?.epoch}`).join(" "), states };
  }

  /** Brings all that are still to be brought. `known` are rows of children that need not be read. */
  async bring(parent: Parent, known?: KnownRows): Promise<void> {
    const { families } = this.#parts.storeOf(parent.queue);
    let moved: { readonly batch: string; readonly from: number; readonly to: number } | undefined;
    let size = known ? nextSize(known.rows) : firstSize;
    for (;;) {
      // What was read before a child is brought can only name a memory as old or older: then it is brought once more.
      const { text, states } = await this.epochs(parent);
      const next = await families.next(parent.family, text, { moved, size, has: known?.batch });
      if (!next) return;
      const { batch, from, count } = next;
      const rows = known?.batch === batch ? known.rows.slice(from, from + count) : next.rows;
      const nested = await this.#bringPage(parent, { batch, from, rows }, states);
      for (const one of nested) await this.bring(one);
      moved = { batch, from, to: from + count };
      size = nextSize(rows);
    }
  }

  /** Returns those of them that are parents, and have children to be brought now. */
  async #bringPage(
    parent: Parent,
    { batch, from, rows }: Pick<NextChildren, "batch" | "from" | "rows">,
    states: States,
  ): Promise<Parent[]> {
    const leaves = new Map<string, Arrival[]>();
    const nested: Parent[] = [];
    for (const [index, text] of rows.entries()) {
      if (text === undefined) continue;
      const row = readRow(text);
      const number = from + index + 1;
      const child = { row, number, ...childOf(row, { ...parent, batch, number }) };
      if (row.size) {
        const below = await this.#bringParent(parent, { ...child, batch, deadline: deadlineOf(states, row.queue) });
        if (below) nested.push(below);
      } else {
        const some = leaves.get(row.queue);
        if (some) some.push(child);
        else leaves.set(row.queue, [child]);
      }
    }
    const origin = { batch, queue: parent.queue, family: parent.family };
    await Promise.all([...leaves].map(([queue, children]) => this.#add(queue, children, { origin, deadline: deadlineOf(states, queue) })));
    return nested;
  }

  /** Those that simply go to the tail go together, in front of the others. */
  async #add(
    queue: string,
    children: readonly Arrival[],
    { origin, deadline }: { readonly origin: Origin; readonly deadline: number },
  ): Promise<void> {
    const { families } = this.#parts.storeOf(queue);
    const simple = children.filter(({ row }) => !row.isPlaced);
    const placed = children.filter(({ row }) => row.isPlaced);
    const added: string[] = [];
    if (simple.length > 0) {
      const fresh = await families.bring(
        origin,
        deadline,
        simple.flatMap(({ number, element }) => [number, element]),
      );
      if (!fresh) throw tooLate(queue);
      for (const { number, row } of simple) if (fresh.has(String(number))) added.push(row.id);
    }
    if (placed.length > 0) {
      const jobs = placed.map(({ row, mark, element }) => ({
        element,
        options: [...(row.options ?? []), "child", mark, "until", deadline],
      }));
      const fresh = await families.bringPlaced(jobs);
      if (!fresh) throw tooLate(queue);
      for (const [index, { row }] of placed.entries()) if (fresh[index]) added.push(row.id);
    }
    this.#parts.noteAdded(queue, added);
  }

  /** A child that is a parent: what is below it goes to the slot of its own queue first. */
  async #bringParent(parent: Parent, child: Arrival & { readonly batch: string; readonly deadline: number }): Promise<Parent | undefined> {
    const { row, mark, element, batch, deadline } = child;
    const { size: count = 0, begins = 0, queue, id, options = [], death } = row;
    const from = this.#parts.storeOf(parent.queue).families;
    const to = this.#parts.storeOf(queue).families;
    const own = newId();
    const numbering = new Numbering();
    for (let done = 0, page = firstSize; done < count;) {
      const rows = await from.below(batch, begins + done, Math.min(page, count - done));
      // The family has ended meanwhile.
      if (rows.length === 0) return undefined;
      done += rows.length;
      page = nextSize(rows);
      await to.stage(
        "brought",
        own,
        rows.flatMap((text) => numbering.number(readRow(text))),
      );
    }
    const family = familyOfElement(element);
    const queues = [...numbering.queues];
    const how = ["element", element, ...options, "mark", mark, "until", deadline];
    const answer = await to.commit("brought", {
      family,
      batch: own,
      rows: count,
      children: numbering.children,
      death,
      queues,
      options: how,
    });
    if (answer === "late" || answer === "lost") throw tooLate(queue);
    if (answer !== "added") return undefined;
    this.#parts.noteAdded(queue, [id]);
    return { queue, family, queues };
  }
}

function deadlineOf(states: States, queue: string): number {
  return (states.get(queue)?.now ?? 0) + patienceMs;
}

function tooLate(queue: string): Error {
  return new Error(`children came to queue ${queue} too late; they are brought again`);
}
