import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const counts = script(4, "base", "place", "count-jobs", "counts");
const nextWaiting = script(1, "next-waiting");
const census = script(1, "census");
const groupNames = script(1, "group-names");

// Fewer than elsewhere: the script asks the server for some names at a time, again and again.
const groupsPage = 50;
const stubsPage = 500;
const stubBegins = '{"cancelled":true,"id":"-"';
// A fraction of a millisecond of the server for jobs of a few hundred bytes.
const censusPage = 120;

export interface QueueCounts {
  /** A worker may take them now, as far as limits and pauses let it. */
  readonly waiting: number;
  /** A worker has them. */
  readonly running: number;
  /** They are due later: at their own time, or at that of their next attempt. */
  readonly scheduled: number;
  readonly dead: number;
  /** They stand in the lines of their groups, which are at their limit or paused. */
  readonly blocked: number;
  /** Of the scheduled: they rest until their children have ended. */
  readonly parked: number;
  /** Whether the queue is paused. */
  readonly paused: boolean;
  /** Dead letters that were dropped so far, because they were too old or too many. */
  readonly dropped: number;
}

/** And what tells of the job that is taken next: the beginning of its element, and since when it is ready where that was kept. */
export interface SeenCounts extends QueueCounts {
  readonly first: string;
  readonly readyAt: number | undefined;
}

/** How often the job of an element was tried, and parked or woken, when that was made. */
export interface HeldState {
  readonly id: string;
  readonly attempts: number;
  readonly parks: number;
  /** Whoever takes it asks its row. */
  readonly isLatest: boolean;
}

/** Groups between two places of the server's, by name. */
export interface GroupsPart {
  readonly begin: string;
  readonly end: string;
  readonly names: readonly string[];
}

type Reply = [...numbers: [number, number, number, number, number, number, number, number], first: string, readyAt: string];

/** What can be read of one queue. */
export class Reads {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  async counts(): Promise<SeenCounts> {
    const keys = [this.#keys.workers, this.#keys.waiting, this.#keys.scheduled, this.#keys.dead];
    const reply = await counts.run(this.#connection, [...keys, this.#keys.held("")]);
    const [waiting, running, scheduled, dead, dropped, blocked, paused, parked, first, ready] = reply as Reply;
    const found = first.startsWith(stubBegins) ? await this.#nextWaiting() : first;
    return {
      waiting,
      running,
      scheduled,
      dead,
      dropped,
      blocked,
      paused: paused === 1,
      parked,
      first: found,
      readyAt: ready === "" ? undefined : Number(ready),
    };
  }

  /** What stands for jobs that were cancelled is taken next, and stands for none. */
  async #nextWaiting(): Promise<string> {
    const { high, waiting, low } = this.#keys;
    for (const list of [high, waiting, low]) {
      for (let passed = 0; ; passed += stubsPage) {
        const found = (await nextWaiting.run(this.#connection, [list, passed, stubsPage])) as string | null;
        if (found === null) break;
        if (found !== "") return found;
      }
    }
    return "";
  }

  /** Whether a job that is open has this id, which its caller chose. */
  async isTaken(id: string): Promise<boolean> {
    return (await this.#connection.client.sismember(this.#keys.ids, id)) === 1;
  }

  /** How long a list is. */
  length(list: string): Promise<number> {
    return this.#connection.client.llen(list);
  }

  async element(list: string, index: number): Promise<string | undefined> {
    return (await this.#connection.client.lindex(list, index)) ?? undefined;
  }

  /** A few elements of a list. */
  elements(list: string, first: number, last: number): Promise<string[]> {
    return this.#connection.client.lrange(list, first, last);
  }

  /** The groups that have jobs on the queue or in their lines, in pages of parts. One that comes or goes meanwhile may be met or not. */
  async *groups(from = "0"): AsyncGenerator<readonly GroupsPart[]> {
    for (let place = from; ;) {
      const [next, ...parts] = (await groupNames.run(this.#connection, [this.#keys.groups, place, groupsPage])) as [string, ...string[][]];
      yield parts.map(([begin = "", end = "", ...names]) => ({ begin, end, names: names.sort() }));
      if (next === "0") return;
      place = next;
    }
  }

  /** The ids in `key` (waiting, scheduled, a held list, a line, or all lines) of jobs that Keyline wrote, in pages. */
  ids(key: string): AsyncGenerator<readonly string[]> {
    return this.#census(key, "");
  }

  /** The same with their states. */
  async *states(key: string): AsyncGenerator<readonly HeldState[]> {
    for await (const found of this.#census(key, "state")) yield found.map(readState);
  }

  async *#census(key: string, what: "" | "state"): AsyncGenerator<readonly string[]> {
    for (let place = "0"; ;) {
      const [next, ...found] = (await census.run(this.#connection, [key, place, censusPage, what])) as [string, ...string[]];
      yield found;
      if (next === "") return;
      place = next;
    }
  }
}

function readState(found: string): HeldState {
  const [id = "", attempts = 0, parks = 0, latest = "0"] = found.split('"');
  return { id, attempts: Number(attempts), parks: Number(parks), isLatest: latest === "1" };
}
