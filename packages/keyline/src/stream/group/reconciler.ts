/*
 * DESIGN. A reply that got lost must strand no entry. After every failure and every reconnect, once nothing is under way, it is read again what
 * this consumer has: what is unknown here was taken by a command whose answer got lost, and is begun now. The same when renewals of the
 * lease twice show more than is known here: a read that died with its connection may have been served after that. (With keys that cannot be
 * told by counting, as entries that wait in a line are unknown here; there it is read again now and then.)
 *
 * When the group is not there (first use, FLUSHALL, a stream restored from an older copy), or reads elsewhere now, it is attached before
 * that. What runs here and was pending on the log that it left is in `again` then, and is kept.
 */
import { toError } from "../../runtime/errors.ts";
import type { Lease } from "../../work/lease.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Setbacks } from "../../runtime/setbacks.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import type { GroupBeat, GroupLog, HandedEntry } from "../../valkey/stream/group-log.ts";
import { isConnectionError } from "../../valkey/client/connection.ts";
import type { HeldEntries } from "./held-entries.ts";

interface ReconcilerSetup {
  readonly log: GroupLog;
  readonly lease: Lease<GroupBeat>;
  readonly leaseMs: number;
  readonly attach: () => Promise<void>;
  /** What is settled was settled in PostgreSQL: what is doubtful has to be asked anew. */
  readonly hasRecord: boolean;
  readonly logger: Logger;
}

const page = 500;

/** A consumer's commands, as far as one of them may fail while the others do not. */
export type Command = "finish" | "take" | "fail";

/** Finds out what a consumer really has, whenever that is in doubt. */
export class Reconciler<Data> {
  readonly #setup: ReconcilerSetup;
  readonly #held: HeldEntries<Data>;
  readonly #stopping = new AbortController();
  #isAttached = false;
  #isInDoubt = false;
  #isUnderWay = false;
  #generation = 0;
  readonly #setbacks = new Setbacks<Command>();
  /** Ends that were refused. */
  readonly #refusals = new Setbacks<object>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #suspicions = 0;

  constructor(held: HeldEntries<Data>, setup: ReconcilerSetup) {
    this.#held = held;
    this.#setup = setup;
  }

  /** Nothing may be sent before it was run. */
  get isDue(): boolean {
    return this.#isInDoubt || !this.#isAttached;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** What is known here may be wrong. */
  doubt(): void {
    this.#isInDoubt = true;
  }

  /** The group is not there, or reads elsewhere now. */
  detach(): void {
    this.#isAttached = false;
  }

  /** A command failed. Where one fails after every recovery, it is no broken connection: then less and less is sent. */
  noteFailure(command: Command, error: unknown): void {
    const count = this.#isInDoubt ? 0 : this.#setbacks.note(command);
    if (isGroupMissing(error)) return this.detach();
    this.#isInDoubt = true;
    const level = count === 1 && !isConnectionError(error) ? "error" : "debug";
    this.#setup.logger[level]({ error: toError(error).message, command }, "a consumer's command failed; what it has is read again");
  }

  noteSuccess(...commands: readonly (Command | false)[]): void {
    for (const command of commands) if (command) this.#setbacks.clear(command);
  }

  /** Ends of entries that are handed in again later. */
  get postponed(): number {
    return this.#timers.size;
  }

  /** The server refused the end of this one entry. Its neighbours go on; `again` hands it in once more, less and less often. */
  postpone(entry: { readonly id: string }, error: unknown, again: () => void): void {
    const count = this.#refusals.note(entry);
    const level = count === 1 ? "error" : "debug";
    this.#setup.logger[level]({ id: entry.id, error: toError(error).message }, "an entry could not be handed in");
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        again();
      },
      retryDelay(count, { first: 100, max: 30_000 }),
    );
    this.#timers.add(timer);
  }

  /** The end was not refused this time. */
  noteEnd(entry: object): void {
    this.#refusals.clear(entry);
  }

  /** Takes note of how many entries are pending with this consumer, while no command is under way. */
  compare(pending: number): void {
    if (this.#setup.log.hasKeys) return;
    this.#suspicions = pending > this.#held.firsts().length ? this.#suspicions + 1 : 0;
    if (this.#suspicions >= 2) this.#isInDoubt = true;
  }

  /** Forgets everything of a lease that is lost. */
  reset(): void {
    this.#generation++;
    this.#forgetRefusals();
  }

  stop(): void {
    this.#stopping.abort();
    this.#forgetRefusals();
  }

  /** Returns the entries that nothing was known of. Tries until it works; undefined when the lease went or the consumer stopped meanwhile. */
  async run(): Promise<readonly HandedEntry[] | undefined> {
    const generation = this.#generation;
    const { signal } = this.#stopping;
    this.#isUnderWay = true;
    try {
      for (let tries = Math.max(0, this.#setbacks.most - 1); !signal.aborted; tries++) {
        if (tries > 0) await delay(retryDelay(tries - 1), signal);
        const own = await this.#tryToRead();
        if (generation !== this.#generation) return undefined;
        if (own) return this.#compare(own);
      }
      return undefined;
    } finally {
      this.#isUnderWay = false;
    }
  }

  async #tryToRead(): Promise<readonly HandedEntry[] | undefined> {
    const { log, lease, leaseMs, attach, hasRecord, logger } = this.#setup;
    try {
      if (!(await log.connection.whenReady(1_000, this.#stopping.signal))) return undefined;
      // A server that came back may have an older copy of the group.
      if (!this.#isAttached || hasRecord) {
        await attach();
        const running = this.#held.firsts().filter(({ phase }) => phase === "running");
        if (running.length > 0) await log.adopt(lease.name, leaseMs, running);
        this.#isAttached = true;
      }
      // What a lease has that is over is not this consumer's to read.
      await lease.beat();
      return await log.own(lease.name, leaseMs, page);
    } catch (error) {
      if (isGroupMissing(error)) this.#isAttached = false;
      logger.debug({ error: toError(error).message }, "it could not be read yet what a consumer has");
      return undefined;
    }
  }

  #forgetRefusals(): void {
    this.#refusals.forget();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #compare(own: readonly HandedEntry[]): readonly HandedEntry[] {
    const unknown: HandedEntry[] = [];
    for (const entry of own) {
      const held = this.#held.get(entry.id);
      if (held) held.isAgain = entry.isAgain;
      else unknown.push(entry);
    }
    // A renewal may have shown meanwhile that the group reads elsewhere: then this was not all.
    this.#isInDoubt = false;
    this.#suspicions = 0;
    return unknown;
  }
}

/** The server's answer to commands on a group that it does not know. */
export function isGroupMissing(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOGROUP");
}
