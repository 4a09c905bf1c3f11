/*
 * DESIGN. Limits and pauses are kept with the queue: on Valkey, where the script that takes looks at them, and for a transactional queue in its
 * record first, from which they come back when Valkey has lost its memory. A change is in force when the call resolves: every worker
 * whose lease goes on has looked at it, or has been given up by then. Until a worker knows that there are gates at all, it may wait for a job with
 * a command that knows none; the signal ends that wait, and the next look shows that it is over.
 */
import type { GateRow, GateTable } from "../../postgres/job/gate-table.ts";
import { performance } from "../../runtime/clock.ts";
import { KeylineError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { checkKey } from "../../runtime/names.ts";
import { checkOptionNames } from "../../runtime/options.ts";
import { delay } from "../../runtime/waiting.ts";
import type { QueueStore } from "../../valkey/queue/queue-store.ts";
import { unlessAway } from "../../valkey/client/unless-away.ts";
import { groupPages, listGroups } from "./group-list.ts";
import type { checkGroups, QueueGroupStatus } from "./group-query.ts";
import { gatesOf, limitsOf, type LimitChanges, type Limits } from "./limits.ts";

export interface PauseOptions {
  /** Only this group. */
  readonly group?: string;
}

const readyWithinMs = 5_000;
const lookAgainMs = 5;
const pauseNames = new Set(["group"]);

/** Sets what keeps jobs of one queue from being taken, and says what it is. */
export class Gatekeeper {
  readonly #store: QueueStore;
  readonly #table: GateTable | undefined;
  readonly #leaseMs: number;
  readonly #logger: Logger;
  #declared: Limits | undefined;
  #declaring: Promise<unknown> | undefined;

  constructor(
    store: QueueStore,
    parts: {
      /** Only of a transactional queue. */
      readonly table: GateTable | undefined;
      readonly leaseMs: number;
      /** As the queue was made with. */
      readonly limits: Limits | undefined;
      readonly logger: Logger;
    },
  ) {
    this.#store = store;
    this.#table = parts.table;
    this.#leaseMs = parts.leaseMs;
    this.#declared = parts.limits;
    this.#logger = parts.logger;
  }

  /** Before a worker takes its first job: sets the limits that the queue was made with, and brings back what Valkey has lost. */
  async begin(): Promise<void> {
    await this.#declare();
    await this.restore();
  }

  /** Brings back what Valkey has lost. */
  async restore(): Promise<void> {
    const row = await this.#table?.read();
    if (row) await this.#store.gates.restore(row);
  }

  async setLimits(changes: LimitChanges): Promise<void> {
    const gates = gatesOf(changes);
    await this.#declare();
    await this.#change(gates);
    await this.known();
  }

  /** Those of a transactional queue are in its record too. */
  async limits(): Promise<Limits> {
    if (!this.#table) {
      await this.#declare();
      await this.#ready();
      return limitsOf(await this.#store.gates.read());
    }
    const read = async (): Promise<Readonly<Record<string, string>>> => {
      await this.#declare();
      return this.#store.gates.read();
    };
    const gates = await unlessAway(this.#store.connection, read);
    return limitsOf(gates ?? (await this.#table.read())?.gates ?? {});
  }

  async pause({ group }: PauseOptions, isPaused: boolean): Promise<void> {
    if (group === undefined) await this.#change({ paused: isPaused ? 1 : null });
    else await this.#pauseGroup(group, isPaused);
    await this.known();
    // For those who follow events, if there are any.
    const details = group === undefined ? "" : JSON.stringify({ group });
    await this.#store.events.tell([{ what: isPaused ? "paused" : "resumed", id: "", details }]).catch(() => undefined);
  }

  groups(query: ReturnType<typeof checkGroups>): AsyncIterableIterator<QueueGroupStatus> {
    return listGroups(this.#store, this.#table, query);
  }

  // Once, and before anything that comes later: the last one to say something counts.
  async #declare(): Promise<void> {
    if (!this.#declared) return;
    this.#declaring ??= this.#change(gatesOf(this.#declared)).then(
      () => (this.#declared = undefined),
      (error: unknown) => {
        this.#declaring = undefined;
        throw error;
      },
    );
    await this.#declaring;
  }

  async #change(gates: Record<string, number | null>): Promise<void> {
    if (this.#table) {
      await this.#follow(await this.#table.change(gates));
    } else {
      await this.#ready();
      await this.#store.gates.set(gates);
    }
    // Jobs that stand in lines may be let in now, and nothing else may happen to their groups for long.
    if (gates["group.concurrency"] !== undefined) await this.#admitAll();
  }

  async #pauseGroup(group: string, isPaused: boolean): Promise<void> {
    if (!this.#table) {
      await this.#ready();
      return this.#store.gates.pauseGroup(group, isPaused);
    }
    await this.#follow(await this.#table.pauseGroup(group, isPaused));
  }

  // The record has it: where Valkey cannot be told now, whoever works next tells it.
  async #follow(row: GateRow | undefined): Promise<void> {
    await this.#ready().catch((error: unknown) => {
      if (!(error instanceof KeylineError) || error.code !== "VALKEY_UNAVAILABLE") throw error;
      const what =
        "PostgreSQL has the change, and Valkey could not be told: it is in force when Valkey is back and a worker begins, or when the same call is made again";
      throw new KeylineError("OUTCOME_UNKNOWN", what, { cause: error });
    });
    if (row) await this.#store.gates.restore(row);
  }

  async #admitAll(): Promise<void> {
    const { gates } = this.#store;
    const lowered = await gates.lowered();
    let beyond = 0;
    for await (const groups of groupPages(this.#store)) beyond += await gates.admit(groups.map(({ name }) => name));
    if (lowered !== null && beyond === 0) await gates.forgetLowered(lowered);
  }

  /** Resolves when all workers have looked at the gates since the last change. */
  async known(): Promise<void> {
    const deadline = performance.now() + this.#leaseMs + 1_000;
    while (performance.now() < deadline) {
      if ((await this.#store.gates.unaware()).length === 0) return;
      await delay(lookAgainMs, undefined);
    }
    this.#logger.warn({}, "a worker does not answer: whether it knows the limits of its queue is not known");
  }

  #ready(): Promise<void> {
    return this.#store.connection.ensureReady(readyWithinMs);
  }
}

/** Throws INVALID_OPTION. */
export function checkPause(what: string, options: PauseOptions): PauseOptions {
  checkOptionNames(what, options, pauseNames);
  if (options.group !== undefined) checkKey("group", options.group);
  return options;
}
