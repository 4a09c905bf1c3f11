import type { AddResult, Queue } from "keyline";
import { expect } from "vitest";
import { moment, type History } from "./history.ts";
import { insist } from "./insist.ts";
import type { Op } from "./operations.ts";

interface Data {
  readonly n: number;
}

/** A job that held a key from its adding until it ended. */
interface Holder {
  readonly id: string;
  /** It was added before that, for certain. */
  readonly answered: number;
}

const hour = 3_600_000;
const debounceMs = 150;

/** Adds under keys, by several callers at once, and what has to come of them. */
export class KeyedAdds {
  readonly #queue: Queue<Data>;
  readonly #numbers: () => number;
  /** By key, of those that are held for an hour. */
  readonly #first = new Map<string, string>();
  /** By key, of those that are held as long as their job is there, one behind the other. */
  readonly #holders = new Map<string, Holder[]>();
  /** By id, of those whose data may be replaced until they begin. */
  readonly #latest = new Map<string, number>();

  constructor(queue: Queue<Data>, numbers: () => number) {
    this.#queue = queue;
    this.#numbers = numbers;
  }

  /** The numbers of jobs with the latest data that was given them. */
  get latest(): readonly number[] {
    return [...this.#latest.values()];
  }

  /** Returns the numbers of jobs that are there from now on, and run as they are. */
  async add({ key, delay, keep }: Extract<Op, { kind: "once" }>): Promise<number[]> {
    if (keep === "latest") return this.#addLatest(key);
    const deduplicate = keep === "window" ? { key, window: hour } : { key: `open-${key}` };
    const answers = await Promise.all(
      [this.#numbers(), this.#numbers()].map(async (n) => {
        const options = { id: `j${n}`, deduplicate, ...(delay > 0 && { delay }) };
        const { id } = await insist(() => this.#queue.add({ n }, options));
        // Whoever has asked again is told that its own is there.
        return { n, id, added: id === options.id, answered: moment() };
      }),
    );
    const added = answers.filter((answer) => answer.added);
    if (keep === "window") this.#noteFirst(key, answers);
    else this.#noteHolders(key, answers);
    return added.map(({ n }) => n);
  }

  /** That one of them was added says that the one before it had ended: it had begun, at least. */
  check({ runs }: History): string[] {
    const violations: string[] = [];
    for (const [key, holders] of this.#holders) {
      for (const [index, { id }] of holders.entries()) {
        const next = holders[index + 1];
        const begun = runs.filter((run) => run.id === id).map(({ from }) => from);
        if (next && begun.length > 0 && Math.min(...begun) > next.answered)
          violations.push(`key ${key}: ${next.id} was added before ${id} had begun`);
      }
    }
    return violations;
  }

  /** Of two callers at most one adds a job, and both are told of the one that is there. */
  #noteFirst(key: string, answers: readonly AddResult[]): void {
    const added = answers.filter((answer) => answer.added);
    const holder = this.#first.get(key);
    expect(added).toHaveLength(holder === undefined ? 1 : 0);
    const id = holder ?? added[0]?.id ?? "";
    this.#first.set(key, id);
    for (const answer of answers) expect(answer.id).toBe(id);
  }

  /** The one that was there may end between the two. */
  #noteHolders(key: string, answers: readonly (AddResult & Holder)[]): void {
    const holders = this.#holders.get(key) ?? [];
    holders.push(...answers.filter(({ added }) => added).toSorted((one, other) => one.answered - other.answered));
    this.#holders.set(key, holders);
    const known = holders.map(({ id }) => id);
    for (const { id } of answers) expect(known).toContain(id);
  }

  async #addLatest(key: string): Promise<number[]> {
    const n = this.#numbers();
    const options = { id: `j${n}`, deduplicate: { key: `latest-${key}`, window: debounceMs, keep: "latest" as const } };
    const { id } = await insist(() => this.#queue.add({ n }, options));
    expect(this.#latest.has(id)).toBe(id !== options.id);
    this.#latest.set(id, n);
    return [];
  }
}
