import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import { admittedIn, tailField } from "./group-texts.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const placing = ["base", "place", "lines", "groups"] as const;
const setGates = script(1, "base", "place", "group-rules", "set-gates");
const restoreGates = script(1, ...placing, "group-rules", "restore-gates");
const pauseGroup = script(1, ...placing, "pause-group");
const admit = script(1, ...placing, "admit");
const groupStates = script(1, ...placing, "group-states");
const forgetLowered = script(1, "base", "forget-lowered");
const ungated = script(1, "base", "place", "ungated");

/** See `Gates.states`. */
export type GroupState = readonly [admitted: string, line: number, isPaused: boolean];

/** So few that a script looks at them in a fraction of a millisecond. */
const walkedAtOnce = 25;

/** What keeps the jobs of one queue from being taken: see scripts/gates.lua. */
export class Gates {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  read(): Promise<Record<string, string>> {
    return this.#connection.client.hgetall(this.#keys.gates);
  }

  /** Sets gates; null takes one away. */
  async set(gates: Readonly<Record<string, number | null>>): Promise<void> {
    await setGates.run(this.#connection, [this.#keys.workers, ...Object.entries(gates).flatMap(([name, value]) => [name, value ?? ""])]);
  }

  /** Makes them what the record says, unless they are newer. */
  async restore(row: {
    readonly gates: Readonly<Record<string, number>>;
    readonly paused_groups: readonly string[];
    readonly revision: string;
  }): Promise<void> {
    const fields = Object.entries(row.gates).flat();
    await restoreGates.run(this.#connection, [this.#keys.workers, row.revision, fields.length, ...fields, ...row.paused_groups]);
  }

  async pauseGroup(group: string, isPaused: boolean): Promise<void> {
    await pauseGroup.run(this.#connection, [this.#keys.workers, group, isPaused ? "pause" : "resume"]);
  }

  /** Lets jobs of these groups in, as far as their limit lets. Returns of how many more were let in than may run now. */
  async admit(groups: readonly string[]): Promise<number> {
    return (await admit.run(this.#connection, [this.#keys.workers, ...groups])) as number;
  }

  /** There while more of a group may have been let in than may run now: for `forgetLowered`, when it has been seen that of none are. */
  lowered(): Promise<string | null> {
    return this.#connection.client.hget(this.#keys.gates, "group.lowered");
  }

  async forgetLowered(lowered: string): Promise<void> {
    await forgetLowered.run(this.#connection, [this.#keys.workers, lowered]);
  }

  /** Workers that may not know of the last change yet. */
  async unaware(): Promise<readonly string[]> {
    return (await ungated.run(this.#connection, [this.#keys.workers])) as string[];
  }

  /** Of each of the groups: its jobs on the queue as text (id, when, ..., see scripts/groups.lua), how many stand in its line, whether it is paused. */
  async states(groups: readonly string[]): Promise<readonly GroupState[]> {
    if (groups.length === 0) return [];
    const { client } = this.#connection;
    const [texts, tails, paused, placed] = await Promise.all([
      client.hmget(this.#keys.groups, ...groups),
      client.hmget(this.#keys.lines, ...groups.map(tailField)),
      client.smismember(this.#keys.paused, ...groups),
      Promise.all(groups.map((group) => client.zcard(this.#keys.line(group)))),
    ]);
    const walked = await this.#walkLines(groups.filter((_, index) => typeof tails[index] === "string"));
    return groups.map((group, index) => {
      const [admitted, line] = walked.get(group) ?? [admittedIn(texts[index] ?? ""), 0];
      return [admitted, line + (placed[index] ?? 0), paused[index] === 1] as const;
    });
  }

  /** Of groups that have a line in which jobs hang on one another: their jobs on the queue, and how many stand in that line. */
  async #walkLines(groups: readonly string[]): Promise<Map<string, readonly [admitted: string, line: number]>> {
    const states = new Map<string, readonly [string, number]>();
    for (let first = 0; first < groups.length;) {
      const some = groups.slice(first, first + walkedAtOnce);
      const reply = (await groupStates.run(this.#connection, [this.#keys.workers, ...some])) as (string | number)[];
      for (let index = 0; index < reply.length; index += 2) {
        states.set(some[index / 2] ?? "", [String(reply[index]), Number(reply[index + 1])]);
      }
      first += reply.length / 2;
    }
    return states;
  }
}
