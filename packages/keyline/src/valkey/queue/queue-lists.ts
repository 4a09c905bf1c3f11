import type { ValkeyConnection } from "../client/connection.ts";
import type { QueueKeys } from "./keys.ts";
import type { ElementBatch } from "./element-batch.ts";
import { registerLease } from "../client/register-lease.ts";
import { scriptsBeside } from "../client/script.ts";

const script = scriptsBeside(import.meta.url);

/** Where a job is in its worker's held list: a place, which may be out of date, and the text its element begins with, which decides. */
export interface HeldPlace {
  readonly place: number;
  readonly begins: string;
}

export interface Beat {
  readonly heldCount: number;
  /** Milliseconds until the next scheduled job is due, -1 when there is none. */
  readonly nextDueMs: number;
  /** A worker whose lease has ended, or "". */
  readonly endedWorker: string;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly running: number;
  readonly scheduled: number;
  readonly dead: number;
}

/** What came of settling and taking: "lost" when the lease is, "moved" when the oldest held are others; nothing was done then. */
export type SettleReply = { readonly missing: readonly number[]; readonly taken: readonly string[] } | "lost" | "moved";

export type ReturnReason = "ended" | "leaving" | "straggler";

const settleOldest = script(4, "settle-oldest", "take");
const settleScattered = script(4, "held", "settle-scattered", "take");
const retry = script(4, "held", "retry");
const bury = script(4, "held", "bury");
const beat = script(3, "beat");
const returnHeld = script(4, "return-held");
const promote = script(2, "promote");
const schedule = script(1, "schedule");
const addWithId = script(2, "add-with-id");
const redrive = script(3, "redrive");
const counts = script(4, "counts");
const epoch = script(1, "epoch");
const census = script(1, "census");

type RawSettleReply = 0 | -1 | string[] | [number[], ...string[]];

const none: readonly number[] = [];

function isWithMissing(reply: string[] | [number[], ...string[]]): reply is [number[], ...string[]] {
  return typeof reply[0] === "object";
}

/** The lists of one queue and every operation on them: each is one step on the server, so that nothing dies between two halves of it. */
export class QueueLists {
  readonly connection: ValkeyConnection;
  readonly keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.connection = connection;
    this.keys = keys;
  }

  /** Adds jobs, in this order. */
  async push(elements: ElementBatch): Promise<void> {
    await elements.pushTo(this.connection, this.keys.waiting);
  }

  /** Adds jobs with ids of their caller's, in this order. For each id and element: whether it was added. */
  async pushWithIds(idsAndElements: readonly string[]): Promise<readonly boolean[]> {
    const { ids, waiting } = this.keys;
    const answers = await addWithId.runByText(this.connection, [ids, waiting, ...idsAndElements]);
    return (answers as number[]).map((answer) => answer === 1);
  }

  async pushScheduled(delaysAndElements: readonly (number | string)[]): Promise<void> {
    await schedule.run(this.connection, [this.keys.scheduled, ...delaysAndElements]);
  }

  /**
   * Blocks for up to `seconds` until there is a job, moves it into the worker's held list and returns its element. `connection`
   * is the worker's own: everything behind a blocking command waits.
   */
  take(connection: ValkeyConnection, worker: string, seconds: number): Promise<string | null> {
    return connection.client.blmove(this.keys.waiting, this.keys.held(worker), "RIGHT", "RIGHT", seconds);
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
      ownIds,
    }: { readonly finished: number; readonly take: number; readonly areOldest: boolean; readonly ownIds: readonly string[] },
  ): Promise<SettleReply> {
    const { workers, waiting, ids } = this.keys;
    const values: (string | number)[] = [workers, this.keys.held(worker), waiting, ids, worker, take, finished];
    const isShort = areOldest || finished === 0;
    for (const { place, begins } of places) {
      if (isShort) values.push(begins);
      else values.push(place, begins);
    }
    for (const id of ownIds) values.push(id);
    const reply = (await (isShort ? settleOldest : settleScattered).run(this.connection, values)) as RawSettleReply;
    if (reply === 0) return "lost";
    if (reply === -1) return "moved";
    if (!isWithMissing(reply)) return { missing: none, taken: reply };
    const [missing, ...taken] = reply;
    return { missing: missing.map((number) => number - 1), taken };
  }

  /** False when the worker does not hold the job. */
  async retry(
    worker: string,
    held: HeldPlace,
    { element, delayMs }: { readonly element: string; readonly delayMs: number },
  ): Promise<boolean> {
    const { workers, scheduled, waiting } = this.keys;
    const reply = await retry.run(this.connection, [
      workers,
      this.keys.held(worker),
      scheduled,
      waiting,
      worker,
      held.place,
      held.begins,
      element,
      delayMs,
    ]);
    return reply === 1;
  }

  /** False when the worker does not hold the job. An empty `letter` only removes it. */
  async bury(worker: string, held: HeldPlace, { letter, ownId }: { readonly letter: string; readonly ownId: string }): Promise<boolean> {
    const { workers, dead, ids } = this.keys;
    const reply = await bury.run(this.connection, [
      workers,
      this.keys.held(worker),
      dead,
      ids,
      worker,
      held.place,
      held.begins,
      letter,
      ownId,
    ]);
    return reply === 1;
  }

  async register(worker: string, leaseMs: number): Promise<void> {
    await registerLease.run(this.connection, [this.keys.workers, worker, leaseMs]);
  }

  /** Renews the lease; `undefined` when it is lost. */
  async beat(worker: string, leaseMs: number): Promise<Beat | undefined> {
    const { workers, scheduled } = this.keys;
    const reply = (await beat.run(this.connection, [workers, this.keys.held(worker), scheduled, worker, leaseMs])) as
      0 | [number, number, string];
    return reply === 0 ? undefined : { heldCount: reply[0], nextDueMs: reply[1], endedWorker: reply[2] };
  }

  held(worker: string): Promise<string[]> {
    return this.connection.client.lrange(this.keys.held(worker), 0, -1);
  }

  /** Returns a page of what the worker holds to the head of the queue; `undefined` when its lease goes on. */
  async returnHeld(
    worker: string,
    page: number,
    reason: ReturnReason,
  ): Promise<{ readonly left: number; readonly returned: readonly string[] } | undefined> {
    const { workers, gone, waiting } = this.keys;
    const reply = (await returnHeld.run(this.connection, [workers, gone, waiting, this.keys.held(worker), worker, page, reason])) as
      0 | [number, ...string[]];
    if (reply === 0) return undefined;
    const [left, ...returned] = reply;
    return { left, returned };
  }

  /** Workers that are gone and may have left a move under way, after forgetting those gone for longer than `forgetAfterMs`. */
  async goneWorkers(forgetAfterMs: number): Promise<readonly string[]> {
    const { client } = this.connection;
    if (Number.isFinite(forgetAfterMs)) {
      const [seconds] = await client.time();
      await client.zremrangebyscore(this.keys.gone, "-inf", Number(seconds) * 1_000 - forgetAfterMs);
    }
    return client.zrange(this.keys.gone, 0, -1);
  }

  heldCount(worker: string): Promise<number> {
    return this.connection.client.llen(this.keys.held(worker));
  }

  /** Moves up to `limit` jobs whose time has come to the queue. Returns milliseconds until the next, -1 when there is none. */
  async promote(limit: number): Promise<number> {
    return (await promote.run(this.connection, [this.keys.scheduled, this.keys.waiting, limit])) as number;
  }

  /** Looks at the oldest dead letters, up to `limit`, and puts those back on the queue that can be. */
  async redrive(limit: number): Promise<{ readonly looked: number; readonly moved: number }> {
    const { dead, waiting, ids } = this.keys;
    const [looked, moved] = (await redrive.run(this.connection, [dead, waiting, ids, limit])) as [number, number];
    return { looked, moved };
  }

  deadLetterCount(): Promise<number> {
    return this.connection.client.llen(this.keys.dead);
  }

  deadLetters(limit: number): Promise<string[]> {
    return this.connection.client.lrange(this.keys.dead, 0, limit - 1);
  }

  /** The counts, and the beginning of the element that is taken next. */
  async counts(): Promise<QueueCounts & { readonly first: string }> {
    const { waiting, workers, scheduled, dead } = this.keys;
    const reply = (await counts.run(this.connection, [waiting, workers, scheduled, dead, this.keys.held("")])) as [
      number,
      number,
      number,
      number,
      string,
    ];
    return { waiting: reply[0], running: reply[1], scheduled: reply[2], dead: reply[3], first: reply[4] };
  }

  /** The name of the server's present memory. `tag` goes into it when it needs a new one. */
  async epoch(tag: string): Promise<string> {
    return (await epoch.run(this.connection, [this.keys.epoch, tag])) as string;
  }

  /** The epoch as written last, without a look at the server's run id: never newer than what is pushed right after this call. */
  writtenEpoch(): Promise<string | null> {
    return this.connection.client.get(this.keys.epoch);
  }

  workers(): Promise<string[]> {
    return this.connection.client.zrange(this.keys.workers, 0, -1);
  }

  /** A page of `key` (waiting, scheduled or a held list): how many elements it has, and the ids of those that Keyline wrote. */
  async census(key: string, first: number, size: number): Promise<{ readonly length: number; readonly ids: readonly string[] }> {
    const [length, ...ids] = (await census.run(this.connection, [key, first, first + size - 1])) as [number, ...string[]];
    return { length, ids };
  }
}
