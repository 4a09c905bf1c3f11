import type { ValkeyConnection } from "../client/connection.ts";
import type { PlacedElement } from "./adds.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const placing = ["base", "place"] as const;
// What was accepted goes on where memory has run out: nobody else frees it.
const stage = { added: script(1, "base", "family-stage"), brought: script(1, "oom", "base", "family-stage") };
const committing = [...placing, "family", "family-arrival", "family-commit"] as const;
const commit = { added: script(1, ...committing), brought: script(1, "oom", ...committing) };
const bringPlaced = script(1, "oom", "base", "place", "lines", "groups", "family", "family-arrival", "add-grouped", "once", "add-placed");
const next = script(1, "oom", ...placing, "family", "family-next");
const rows = script(1, "base", "family-rows");
const bring = script(1, "oom", ...placing, "family", "family-arrival", "family-bring");
const owed = script(1, "oom", "base", "family-owed");
const told = script(1, "oom", "base", "family-told");
const apply = script(1, "oom", ...placing, "release", "family-apply");
const ask = script(1, "base", "family-ask");
const children = script(1, ...placing, "family", "family-children");
const due = script(1, "oom", ...placing, "family", "family-due");
const clock = script(1, ...placing, "family-clock");
const forget = script(1, "oom", ...placing, "family", "family-forget");

const mostRows = 500;
const mostBytes = 262_144;
const owedBatches = 50;
const owedChildren = 1_000;

/** Not many, as nothing is known of how large they are. */
export const firstSize = 50;

/** How many are read next: as many as are no more than so many bytes, as far as that is known. */
export function nextSize(texts: readonly (string | undefined)[]): number {
  let bytes = 0;
  for (const text of texts) bytes += text?.length ?? 0;
  return texts.length === 0 ? firstSize : Math.max(4, Math.min(mostRows, Math.floor(mostBytes / (bytes / texts.length + 1))));
}

/** Which children of a family are meant: those of one batch behind a number. */
interface Stretch {
  readonly batch: string;
  readonly from: number;
}

/** Children that are to be brought to their queues. */
export interface NextChildren extends Stretch {
  readonly count: number;
  /** Undefined for one that has ended. Left out where whoever asks has them. */
  readonly rows: readonly (string | undefined)[];
}

/** Where children come from. */
export interface Origin {
  readonly batch: string;
  /** Of their parent. */
  readonly queue: string;
  readonly family: string;
}

/** Children of one batch that have ended, and whose parent is to be told. */
interface OwedChildren extends Origin {
  readonly numbers: readonly string[];
}

/** A family that is to be looked after. */
export interface DueFamily {
  readonly family: string;
  readonly queues: readonly string[];
  readonly epochs: string;
  /** Some of its children are still to be brought to their queues. */
  readonly isOwed: boolean;
  readonly ended: "completed" | "dead" | "cancelled" | undefined;
  /** How long ago. */
  readonly endedForMs: number;
}

type DueReply = [family: string, queues: string, epochs: string, isOwed: number, how: string, endedForMs: number];

/** Whether somebody adds children, or what was added is brought to where it belongs. */
type Way = "added" | "brought";

/** How children are added: see scripts/family-commit.lua. */
export interface FamilyCommit {
  readonly family: string;
  readonly batch: string;
  readonly rows: number;
  readonly children: number;
  readonly death: string | undefined;
  readonly queues: readonly string[];
  /** Names and values. */
  readonly options: readonly (string | number)[];
}

/** The families of plain queues, as far as they are in the slot of one queue: see scripts/family.lua. */
export class Families {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Gets rows ready, by their numbers. */
  async stage(way: Way, batch: string, numbersAndRows: readonly string[]): Promise<void> {
    await stage[way].run(this.#connection, [this.#keys.workers, batch, ...numbersAndRows]);
  }

  /** Adds what is ready. */
  async commit(
    way: Way,
    { family, batch, rows: count, children: direct, death, queues, options }: FamilyCommit,
  ): Promise<"added" | "known" | "lost" | "gone" | "late"> {
    const values = [this.#keys.workers, family, batch, count, direct, death ?? "", queues.join(" "), ...options];
    return (await commit[way].run(this.#connection, values)) as "added" | "known" | "lost" | "gone" | "late";
  }

  /** Notes that the `moved` were brought to their queues, as of `epochs`, and returns those that are next. Undefined when there are no more. */
  async next(
    family: string,
    epochs: string,
    {
      moved,
      size,
      has = "",
    }: { readonly moved: (Stretch & { readonly to: number }) | undefined; readonly size: number; readonly has?: string | undefined },
  ): Promise<NextChildren | undefined> {
    const done = moved ? [moved.batch, moved.from, moved.to] : ["", 0, 0];
    const reply = await next.run(this.#connection, [this.#keys.workers, family, epochs, ...done, Math.min(size, mostRows), has]);
    const [isThere, batch, from, count, ...found] = reply as [0 | 1, string, number, number, ...string[]];
    if (isThere === 0) return undefined;
    return { batch, from, count, rows: found.map((row) => (row === "" ? undefined : row)) };
  }

  /** Rows of what is below a child; none where some are missing. */
  async below(batch: string, first: number, count: number): Promise<string[]> {
    return (await rows.run(this.#connection, [this.#keys.workers, batch, first, Math.min(count, mostRows)])) as string[];
  }

  /** Adds children to the tail of this queue. Returns the numbers of those that were not there before; undefined when the deadline has passed. */
  async bring(
    { batch, queue, family }: Origin,
    deadline: number,
    numbersAndElements: readonly (string | number)[],
  ): Promise<ReadonlySet<string> | undefined> {
    const reply = await bring.run(this.#connection, [this.#keys.workers, batch, `${queue} ${family}`, deadline, ...numbersAndElements]);
    return reply === null ? undefined : new Set(reply as string[]);
  }

  /** The same for children with a place of their own. For each: whether it was not there before. */
  async bringPlaced(jobs: readonly PlacedElement[]): Promise<readonly boolean[] | undefined> {
    const values = jobs.flatMap(({ element, options }) => [element, options.length, ...options]);
    const instead = (await bringPlaced.run(this.#connection, [this.#keys.workers, ...values])) as string[];
    return instead.includes("late") ? undefined : instead.map((one) => one === "");
  }

  /** Children of this queue that have ended, and whose parents are to be told. */
  async owed(): Promise<OwedChildren[]> {
    const reply = (await owed.run(this.#connection, [this.#keys.workers, owedBatches, owedChildren])) as string[];
    return Array.from({ length: reply.length / 3 }, (_, index) => {
      const [batch = "", of = "", numbers = ""] = reply.slice(3 * index, 3 * index + 3);
      const [queue = "", family = ""] = of.split(" ");
      return { batch, queue, family, numbers: numbers.split(" ") };
    });
  }

  /** What became of them, by their numbers. */
  outcomes(batch: string, numbers: readonly string[]): Promise<(string | null)[]> {
    return this.#connection.client.hmget(this.#keys.familyChildren(batch), ...numbers);
  }

  /** The parents of these know. */
  async told(ends: readonly { readonly batch: string; readonly numbers: readonly string[] }[]): Promise<void> {
    const values = ends.flatMap(({ batch, numbers }) => [batch, numbers.length, ...numbers]);
    await told.run(this.#connection, [this.#keys.workers, ...values]);
  }

  /** Tells a parent of children that have ended: number and outcome of each. */
  async apply({ batch, family }: Origin, numbersAndOutcomes: readonly string[]): Promise<void> {
    await apply.run(this.#connection, [this.#keys.workers, family, batch, ...numbersAndOutcomes]);
  }

  /** Whether the parent has what it waits for; `dead` is why it is to die. */
  async ask(family: string): Promise<{ readonly isOpen: boolean; readonly dead: string | undefined }> {
    const answer = (await ask.run(this.#connection, [this.#keys.workers, family])) as string;
    return { isOpen: answer === "open", dead: answer.startsWith("dead ") ? answer.slice(5) : undefined };
  }

  /** Rows of children, from a batch (from 1 on) and behind a number on. `next` is undefined at the end; `moved` so many of them were brought to their queues. */
  async children(
    family: string,
    [batch, after]: readonly [batch: number, after: number],
    size: number,
  ): Promise<{
    readonly rows: readonly string[];
    readonly moved: number;
    readonly next: readonly [batch: number, after: number] | undefined;
  }> {
    const reply = await children.run(this.#connection, [this.#keys.workers, family, batch, after, Math.min(size, mostRows)]);
    const [nextBatch, nextAfter, moved, ...found] = reply as [number, number, number, ...string[]];
    return { rows: found, moved, next: nextBatch === 0 ? undefined : [nextBatch, nextAfter] };
  }

  /** Families that are to be looked after: for `restMs` nobody else does. */
  async due(limit: number, restMs: number): Promise<DueFamily[]> {
    const reply = (await due.run(this.#connection, [this.#keys.workers, limit, restMs])) as (string | number)[];
    const found: DueFamily[] = [];
    for (let index = 0; index < reply.length; index += 6) {
      const [family, queues, epochs, isOwed, how, endedForMs] = reply.slice(index, index + 6) as DueReply;
      found.push({
        family,
        queues: queues.split(" "),
        epochs,
        isOwed: isOwed === 1,
        ended: how === "" ? undefined : (how as DueFamily["ended"]),
        endedForMs,
      });
    }
    return found;
  }

  /** Nothing is left to do for a family whose parent has ended. */
  async forget(family: string, ended: string): Promise<void> {
    await forget.run(this.#connection, [this.#keys.workers, family, ended]);
  }

  /** Whether that worker's lease goes on. */
  async hasLease(worker: string): Promise<boolean> {
    return (await this.#connection.client.zscore(this.#keys.workers, worker)) !== null;
  }

  /** The server's time. */
  async now(): Promise<number> {
    return (await clock.run(this.#connection, [this.#keys.workers])) as number;
  }

  /** Whether jobs of this queue are parents or children. */
  async areThere(): Promise<boolean> {
    return (await this.#connection.client.exists(this.#keys.families, this.#keys.familyOwing)) > 0;
  }

  /** Those of the ids that are known: whose jobs have not ended. */
  async known(ids: readonly string[]): Promise<string[]> {
    const are = await this.#connection.client.smismember(this.#keys.ids, ...ids);
    return ids.filter((_, index) => are[index] === 1);
  }
}
