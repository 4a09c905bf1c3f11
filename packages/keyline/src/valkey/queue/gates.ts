import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const placing = ["base", "place", "groups"] as const;
const setGates = script(1, "base", "place", "group-rules", "set-gates");
const restoreGates = script(1, ...placing, "group-rules", "restore-gates");
const pauseGroup = script(1, ...placing, "pause-group");
const admit = script(1, ...placing, "admit");
const forgetLowered = script(1, "base", "forget-lowered");
const ungated = script(1, "base", "place", "ungated");

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

  /** Of each of the groups: its jobs on the queue as text (id, when, ...), how many stand in its line, whether it is paused. */
  async states(groups: readonly string[]): Promise<readonly (readonly [admitted: string, line: number, isPaused: boolean])[]> {
    if (groups.length === 0) return [];
    const { client } = this.#connection;
    const [texts, paused, placed] = await Promise.all([
      client.hmget(this.#keys.groups, ...groups),
      client.smismember(this.#keys.paused, ...groups),
      Promise.all(groups.map((group) => client.zcard(this.#keys.line(group)))),
    ]);
    return groups.map((_, index) => {
      const [numbered, admitted] = readGroup(texts[index] ?? "");
      return [admitted, numbered + (placed[index] ?? 0), paused[index] === 1] as const;
    });
  }
}

/** See scripts/groups.lua. */
function readGroup(text: string): readonly [numbered: number, admitted: string] {
  const [all, first, last] = /^(-?\d+) (-?\d+)\|/.exec(text) ?? [""];
  return [all === "" ? 0 : Number(last) - Number(first) + 1, text.slice(all.length)];
}
