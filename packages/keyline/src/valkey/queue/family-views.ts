import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const head = script(1, "base", "place", "family", "family-head");
const page = script(1, "base", "place", "family", "family-page");
const outcomes = script(1, "base", "place", "family", "family-outcomes");

/** What is known of a family in the slot of its parent. */
export interface FamilyHead {
  readonly open: number;
  readonly total: number;
  readonly death: "die" | "ignore" | "value";
  /** The element of a parent that waits for its children. */
  readonly parked: string | undefined;
}

/** Behind which child one goes on: the number of a batch, from 1 on, and of a child in it. */
export type FamilyPlace = readonly [batch: number, after: number];

interface FamilyPage {
  /** Of each child '<queue> <id> =<outcome as JSON>', or '<queue> <id> +<its element up to the data>' while it has not ended. */
  readonly rows: readonly string[];
  readonly next: FamilyPlace | undefined;
}

// What one step looks at in a fraction of a millisecond.
const mostRows = 100;
const mostOutcomes = 200;

/** The families of plain queues, for those who only look. */
export class FamilyViews {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Undefined where there is no such family. */
  async head(family: string): Promise<FamilyHead | undefined> {
    const reply = (await head.run(this.#connection, [this.#keys.workers, family])) as [number, number, string, string] | null;
    if (!reply) return undefined;
    const [open, total, death, parked] = reply;
    return { open, total, death: death as FamilyHead["death"], parked: parked === "" ? undefined : parked };
  }

  /** Children from a place on, in their order: as many as are small enough for one answer. */
  async children(family: string, [batch, after]: FamilyPlace, limit: number): Promise<FamilyPage> {
    const reply = await page.run(this.#connection, [this.#keys.workers, family, batch, after, Math.min(limit, mostRows)]);
    const [nextBatch, nextAfter, ...rows] = reply as [number, number, ...string[]];
    return { rows, next: nextBatch === 0 ? undefined : [nextBatch, nextAfter] };
  }

  /** How some of the children have ended, from a place on. */
  async outcomes(
    family: string,
    [batch, after]: FamilyPlace,
  ): Promise<{ readonly looked: number; readonly dead: number; readonly cancelled: number; readonly next: FamilyPlace | undefined }> {
    const reply = await outcomes.run(this.#connection, [this.#keys.workers, family, batch, after, mostOutcomes]);
    const [nextBatch, nextAfter, looked, dead, cancelled] = reply as [number, number, number, number, number];
    return { looked, dead, cancelled, next: nextBatch === 0 ? undefined : [nextBatch, nextAfter] };
  }
}
