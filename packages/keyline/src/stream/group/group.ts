import { KeylineError } from "../../runtime/errors.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import type { ValkeyConnection } from "../../valkey/connection.ts";
import type { GroupAdmin } from "../../valkey/group-admin.ts";
import type { GroupState } from "../../valkey/group-log.ts";
import { compareIds, timeOf } from "../entry-id.ts";
import { readLetter, type GroupDeadLetter } from "./dead-letter.ts";

export interface GroupStatus {
  readonly name: string;
  /** Entries that were not handed out yet. */
  readonly lag: number;
  /** Entries that were handed out and have not ended: they run, wait in the line of their key, or wait for their next attempt. */
  readonly pending: number;
  /** When the earliest of those was appended, in milliseconds since 1970; undefined when there is none. */
  readonly oldestPendingAt: number | undefined;
  /** Those of the pending that were handed out before, or are to be. */
  readonly retrying: number;
  readonly dead: number;
  /** Consumers of all processes whose lease goes on. */
  readonly consumers: number;
  /** Entries that trimming took before the group had finished them, ever. */
  readonly lost: number;
  /** When a consumer was here last, in milliseconds since 1970; undefined for a group that has had none of Keyline's. */
  readonly lastSeenAt: number | undefined;
}

export interface GroupParts {
  readonly stream: string;
  readonly connection: ValkeyConnection;
  readonly hasKeys: boolean;
  readonly admin: GroupAdmin;
  checkOpen(): void;
}

const listOptionNames = new Set(["limit"]);
const redrivePage = 500;

/** One consumer group, as those look at it who do not consume. Every method throws UNKNOWN_GROUP where there is no such group. */
export class Group {
  readonly name: string;
  readonly #parts: GroupParts;

  /** @internal */
  constructor(name: string, parts: GroupParts) {
    this.name = name;
    this.#parts = parts;
  }

  async status(): Promise<GroupStatus> {
    await this.#ready();
    return (await readStatus(this.name, this.#parts)) ?? this.#refuse();
  }

  /** The newest dead letters, up to `limit` (default 100). */
  async deadLetters(options: { readonly limit?: number } = {}): Promise<GroupDeadLetter[]> {
    checkOptionNames("deadLetters", options, listOptionNames);
    const { limit = 100 } = options;
    checkInteger("limit", limit, { min: 1, max: 10_000 });
    await this.status();
    return (await this.#parts.admin.deadLetters(this.name, limit)).flatMap((text) => readLetter(text) ?? []);
  }

  /** Hands out dead letters again, oldest first, up to `limit` (default: all), with all their attempts before them. Returns how many. */
  async redrive(options: { readonly limit?: number } = {}): Promise<number> {
    checkOptionNames("redrive", options, listOptionNames);
    const { limit = Number.MAX_SAFE_INTEGER } = options;
    checkInteger("limit", limit, { min: 1 });
    await this.status();
    const { admin, hasKeys } = this.#parts;
    let count = 0;
    // Each that was there is looked at once.
    for (let left = Math.min(limit, await admin.deadLetterCount(this.name)); left > 0; left -= redrivePage) {
      count += await admin.redrive(this.name, Math.min(redrivePage, left), hasKeys);
    }
    return count;
  }

  /** Removes the group with all that it knows. Stop its consumers before: one that runs makes it anew. */
  async remove(): Promise<void> {
    await this.#ready();
    if (!(await this.#parts.admin.remove(this.name))) this.#refuse();
  }

  async #ready(): Promise<void> {
    this.#parts.checkOpen();
    await this.#parts.connection.ensureReady(5_000);
  }

  #refuse(): never {
    throw new KeylineError(
      "UNKNOWN_GROUP",
      `Stream ${this.#parts.stream} has no consumer group ${this.name}: stream.groups() lists those that it has`,
    );
  }
}

/** Undefined where there is no such group. */
export async function readStatus(name: string, { admin }: Pick<GroupParts, "admin">): Promise<GroupStatus | undefined> {
  const state = await admin.state(name);
  if (!state) return undefined;
  const { pending, retrying, dead, consumers, lost, lastSeenAt } = state;
  const oldest = [state.firstPending, state.firstRetrying].filter((id) => id !== "").sort(compareIds)[0];
  return {
    name,
    lag: await lagOf(state, admin),
    pending: pending + retrying,
    oldestPendingAt: oldest === undefined ? undefined : timeOf(oldest),
    retrying,
    dead,
    consumers,
    lost,
    lastSeenAt,
  };
}

/** The server counts from what was ever added: that is right as long as nothing was removed that the group had not been handed out. */
async function lagOf({ first, cursor, length, lag }: GroupState, admin: GroupAdmin): Promise<number> {
  if (first === "" || compareIds(first, cursor) > 0) return length;
  return lag >= 0 ? lag : admin.countAfter(admin.keys.events, cursor);
}
