import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";
import type { LetterRetention, NewLetter } from "./letters.ts";
import { readSettled, type SettleReply } from "./settle-reply.ts";
import { pushTies, type GroupTie, type Tie } from "./tie.ts";
import { ToldSettle } from "./told-settle.ts";

const script = scriptsBeside(import.meta.url);
// A job that is tied to something takes its end through further parts; one that is not does not pay for them.
const placing = ["base", "place", "lines", "groups"] as const;
const telling = ["tell-end", "tell-event", "tie-result", "tie-event", "tie-progress"] as const;
const ties = [
  ...placing,
  "leave-groups",
  "ties",
  "tie-own-id",
  "tie-key",
  ...telling,
  "family",
  "tie-family",
  "cancelled",
  "tie-cancel",
] as const;
const loosen = [...ties, "loosen"] as const;
const loosenGated = [...ties, "forget-ids", "loosen"] as const;
// Somebody waits for what became of them, and that is all that they are tied to.
const told = ["base", "places-none", "ties", "tell-end", "tie-result", "loosen"] as const;
// They have groups, and are tied to nothing else.
const grouped = [...placing, "leave-groups", "ties", "families-none", "loosen"] as const;
const gated = ["gates", "take-gated"] as const;
const settleOldest = {
  plain: script(3, "settle-oldest", "let-go", "take"),
  told: script(3, "settle-oldest", ...told, "let-go", "take"),
  grouped: script(3, "settle-oldest", ...grouped, "let-go", "take"),
  tied: script(3, "settle-oldest", ...loosen, "let-go", "take"),
  gated: script(3, "settle-oldest", ...loosenGated, "let-go", ...gated),
};
const settleScattered = {
  plain: script(3, "held", "settle-scattered", "take"),
  told: script(3, "held", "settle-scattered", ...told, "take"),
  grouped: script(3, "held", "settle-scattered", ...grouped, "take"),
  tied: script(3, "held", "settle-scattered", ...loosen, "take"),
  gated: script(3, "held", "settle-scattered", ...loosenGated, ...gated),
};
const gatedRetry = ["tell-end", "tell-event", "family", "cancelled", "retry-unless-cancelled", "retry-grouped"] as const;
const retry = {
  plain: script(4, "held", "holds", "retry", "done"),
  grouped: script(4, "held", "holds", ...placing, "retry-grouped", "retry", "done"),
  gated: script(4, "held", "holds", ...placing, ...gatedRetry, "retry", "done"),
  told: script(4, "held", "holds", "base", "place", "tell-event", "retry-told", "retry", "done"),
  groupedAndTold: script(4, "held", "holds", ...placing, "tell-event", "retry-grouped", "retry-told", "retry", "done"),
  gatedAndTold: script(4, "held", "holds", ...placing, ...gatedRetry, "retry-told", "retry", "done"),
};
const giveBack = script(3, "held", "give-back");
const toldKinds = { plain: "told", grouped: "groupedAndTold", gated: "gatedAndTold" } as const;
const yieldTurn = script(2, "held", "holds", ...placing, "yield", "done");
const park = script(2, "held", "holds", ...placing, "tell-end", "tell-event", "family", "cancelled", "release", "park", "done");
const bury = script(3, "held", "letter", "holds", "bury", ...loosenGated, "buried", "forget-mark", "done");

/** Where a job is in its worker's held list: a place, which may be out of date, and the text its element begins with, which decides. */
export interface HeldPlace {
  readonly place: number;
  readonly begins: string;
}

/** What workers of one queue hold: how jobs come into a held list and out of it. */
export class Holding {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;
  readonly #toldSettle: ToldSettle;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
    this.#toldSettle = new ToldSettle(connection, keys);
  }

  /**
   * Blocks for up to `seconds` until there is a job, moves it into the worker's held list and returns its element. `connection`
   * is the worker's own: everything behind a blocking command waits.
   */
  take(connection: ValkeyConnection, worker: string, seconds: number): Promise<string | null> {
    return connection.client.blmove(this.#keys.waiting, this.#keys.held(worker), "RIGHT", "RIGHT", seconds);
  }

  /** Blocks for up to `seconds` until there is a job at the tail's end, and leaves it there. */
  async awaitJob(connection: ValkeyConnection, seconds: number): Promise<void> {
    await connection.client.blmove(this.#keys.waiting, this.#keys.waiting, "RIGHT", "RIGHT", seconds);
  }

  /** Blocks for up to `seconds` until there is room behind a gate that was closed. */
  async awaitRoom(connection: ValkeyConnection, seconds: number): Promise<void> {
    await connection.client.blpop(this.#keys.wake, seconds);
  }

  /**
   * Settles what has finished and takes up to `take` jobs. `areOldest` says that the finished are the ones held longest, in their
   * order; then `places` needs only the first and the last of them, or the only one.
   */
  async settleAndTake(
    worker: string,
    places: readonly HeldPlace[],
    {
      finished,
      take,
      areOldest,
      ties,
      isGated,
    }: {
      readonly finished: number;
      readonly take: number;
      readonly areOldest: boolean;
      /** What the finished are tied to, by their place among them. */
      readonly ties: readonly (readonly [index: number, tie: Tie])[];
      /** The queue has gates, or may have. */
      readonly isGated: boolean;
    },
  ): Promise<SettleReply> {
    const [first] = places;
    const told = ties.length === 1 && finished === 1 && areOldest && !isGated ? ties[0]?.[1].told : undefined;
    if (told && first) return this.#toldSettle.settle(worker, { begins: first.begins, take, told });
    const values: (string | number)[] = [this.#keys.workers, this.#keys.held(worker), this.#keys.waiting, worker, take, finished];
    const isShort = areOldest || finished === 0;
    for (const { place, begins } of places) {
      if (isShort) values.push(begins);
      else values.push(place, begins);
    }
    pushTies(values, ties);
    const settle = isShort ? settleOldest : settleScattered;
    return readSettled(await settle[isGated ? "gated" : kindOf(ties)].run(this.#connection, values), isGated);
  }

  /** "missing" when the worker does not hold the job, "cancelled" when it is not to be tried again. */
  async retry(
    worker: string,
    held: HeldPlace,
    job: {
      readonly element: string;
      readonly delayMs: number;
      readonly group: GroupTie | undefined;
      readonly isGated: boolean;
      /** What those are told who follow events; undefined where nobody does. */
      readonly told: string | undefined;
    },
  ): Promise<"done" | "missing" | "cancelled"> {
    const { element, delayMs, group, isGated, told } = job;
    const { workers, scheduled, waiting } = this.#keys;
    const values = [workers, this.#keys.held(worker), scheduled, waiting, worker, held.place, held.begins, element, delayMs];
    if (group) values.push(group.value, group.group);
    else if (isGated) values.push("", "");
    if (told !== undefined) values.push(told);
    const kind = isGated ? "gated" : group ? "grouped" : "plain";
    return retried(await (told === undefined ? retry[kind] : retry[toldKinds[kind]]).run(this.#connection, values));
  }

  /**
   * Puts jobs that have not begun back at the head of the queue, given with the newest first. False when the worker's lease is lost. What the worker takes next must
   * find them there: so it goes by its text, and not a second time behind that take where the server does not know the script.
   */
  async giveBack(worker: string, places: readonly HeldPlace[]): Promise<boolean> {
    const { workers, waiting } = this.#keys;
    const values = [workers, this.#keys.held(worker), waiting, worker, ...places.flatMap(({ place, begins }) => [place, begins])];
    return (await giveBack.runByText(this.#connection, values)) === 1;
  }

  /** Gives a grouped job back whose turn it is not. False when the worker does not hold it. */
  async yieldTurn(
    worker: string,
    held: HeldPlace,
    job: { readonly element: string; readonly id: string; readonly group: string; readonly order: string; readonly restMs: number },
  ): Promise<boolean> {
    const { element, id, group, order, restMs } = job;
    const { workers } = this.#keys;
    const values = [workers, this.#keys.held(worker), worker, held.place, held.begins, element, id, group, order, restMs];
    return (await yieldTurn.run(this.#connection, values)) === 1;
  }

  /** The job rests until its children have ended. What comes of it is as with a retry. */
  async park(
    worker: string,
    { place, begins }: HeldPlace,
    { element, family, told }: { readonly element: string; readonly family: string; readonly told: string | undefined },
  ): Promise<"done" | "missing" | "cancelled"> {
    const values = [this.#keys.workers, this.#keys.held(worker), worker, place, begins, element, family, told ?? ""];
    return retried(await park.run(this.#connection, values));
  }

  /** False when the worker does not hold the job. Without a `letter` it is only removed. */
  async bury(
    worker: string,
    { place, begins }: HeldPlace,
    { letter, kept, ties }: { readonly letter: NewLetter | undefined; readonly kept: LetterRetention; readonly ties: readonly Tie[] },
  ): Promise<boolean> {
    const { id, why, job } = letter ?? { id: "", why: "", job: "" };
    const values: (string | number)[] = [this.#keys.workers, this.#keys.held(worker), this.#keys.dead, worker, place, begins];
    values.push(id, why, job, kept.maxLength, kept.maxAgeMs);
    pushTies(
      values,
      ties.map((tie) => [0, tie]),
    );
    return (await bury.run(this.#connection, values)) === 1;
  }

  held(worker: string): Promise<string[]> {
    return this.#connection.client.lrange(this.#keys.held(worker), 0, -1);
  }
}

/** Which of the scripts that settle a queue without gates does it. */
function kindOf(ties: readonly (readonly [index: number, tie: Tie])[]): "plain" | "told" | "grouped" | "tied" {
  const [first] = ties;
  if (!first) return "plain";
  const { kind } = first[1];
  if ((kind !== "result" && kind !== "group") || ties.some(([, tie]) => tie.kind !== kind)) return "tied";
  return kind === "result" ? "told" : "grouped";
}

const retried = (reply: unknown): "done" | "missing" | "cancelled" => (reply === 2 ? "cancelled" : reply === 1 ? "done" : "missing");
