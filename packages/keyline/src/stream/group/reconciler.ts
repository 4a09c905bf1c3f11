/*
 * DESIGN. What this consumer has and is unknown here was taken by a command whose answer got lost, and is begun now. When that is read:
 * work/doubt.ts. (With keys it cannot be told by counting, as entries that wait in a line are unknown here; there it is read again now and
 * then.)
 *
 * When the group is not there (first use, FLUSHALL, a stream restored from an older copy), or reads elsewhere now, it is attached before
 * that. What runs here and was pending on the log that it left is in `again` then, and is kept.
 */
import type { GroupBeat } from "../../valkey/stream/group-leases.ts";
import type { GroupLog, HandedEntry } from "../../valkey/stream/group-log.ts";
import type { Doubt } from "../../work/doubt.ts";
import type { Lease } from "../../work/lease.ts";
import type { HeldEntries } from "./held-entries.ts";
import type { HeldEntry } from "./held-entry.ts";

interface ReconcilerSetup<Data> {
  readonly log: GroupLog;
  readonly lease: Lease<GroupBeat>;
  readonly leaseMs: number;
  readonly doubt: Doubt<HeldEntry<Data>, Command>;
  readonly attach: () => Promise<void>;
  /** What is settled was settled in PostgreSQL: what is doubtful has to be asked anew. */
  readonly hasRecord: boolean;
}

const page = 500;

/** A consumer's commands, as far as one of them may fail while the others do not. */
export type Command = "finish" | "take" | "fail";

/** Finds out what a consumer really has, whenever that is in doubt. */
export class Reconciler<Data> {
  readonly #setup: ReconcilerSetup<Data>;
  readonly #held: HeldEntries<Data>;
  #isAttached = false;

  constructor(held: HeldEntries<Data>, setup: ReconcilerSetup<Data>) {
    this.#held = held;
    this.#setup = setup;
  }

  /** Nothing may be sent before it was read. */
  get isDue(): boolean {
    return this.#setup.doubt.isDue || !this.#isAttached;
  }

  /** The group is not there, or reads elsewhere now. */
  detach(): void {
    this.#isAttached = false;
  }

  /** Returns the entries that nothing was known of. Tries until it works; undefined when the lease went or the consumer stopped meanwhile. */
  async read(): Promise<readonly HandedEntry[] | undefined> {
    const { log, doubt } = this.#setup;
    const own = await doubt.resolve(async () => {
      if (!(await log.connection.whenReady(1_000, doubt.signal))) return undefined;
      try {
        return await this.#readOwn();
      } catch (error) {
        if (isGroupMissing(error)) this.#isAttached = false;
        throw error;
      }
    });
    return own && this.#compare(own);
  }

  async #readOwn(): Promise<readonly HandedEntry[]> {
    const { log, lease, leaseMs, attach, hasRecord } = this.#setup;
    // A server that came back may have an older copy of the group.
    if (!this.#isAttached || hasRecord) {
      await attach();
      const running = this.#held.firsts().filter(({ phase }) => phase === "running");
      if (running.length > 0) await log.adopt(lease.name, leaseMs, running);
      this.#isAttached = true;
    }
    // What a lease has that is over is not this consumer's to read.
    await lease.beat();
    return log.own(lease.name, leaseMs, page);
  }

  #compare(own: readonly HandedEntry[]): readonly HandedEntry[] {
    const unknown: HandedEntry[] = [];
    for (const entry of own) {
      const held = this.#held.get(entry.id);
      if (held) held.isAgain = entry.isAgain;
      else unknown.push(entry);
    }
    // A renewal may have shown meanwhile that the group reads elsewhere: then this was not all.
    this.#setup.doubt.clear();
    return unknown;
  }
}

/** The server's answer to commands on a group that it does not know. */
export function isGroupMissing(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOGROUP");
}
