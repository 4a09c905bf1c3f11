import type { ValkeyConnection } from "../client/connection.ts";
import { groupScript } from "./group-script.ts";
import { wakeKeyOf } from "./group-wake.ts";
import type { GroupKeys } from "./keys.ts";

const reset = groupScript(10, "group-reset");
const clear = groupScript(4, "group-reset-clear");
const mark = groupScript(2, "group-reset-mark");

// Whoever attaches after so long ends a reset that nobody has ended.
const graceMs = 30_000;
const page = 200;

/** What resets one consumer group on Valkey. */
export class GroupResetLog {
  readonly #connection: ValkeyConnection;
  readonly #keys: GroupKeys;
  readonly #group: { readonly name: string; readonly hasKeys: boolean };

  constructor(connection: ValkeyConnection, keys: GroupKeys, group: { readonly name: string; readonly hasKeys: boolean }) {
    this.#connection = connection;
    this.#keys = keys;
    this.#group = group;
  }

  /** Stops the group. Returns milliseconds until every consumer has stopped; undefined when there is no such group. `start` is the id behind which it begins, "$", or "" where the record says. */
  async begin(tag: string, start: string): Promise<number | undefined> {
    const { stream, backlog, consumers, again, entries, state } = this.#keys;
    const keys = [stream.events, backlog, consumers, again, entries, state, stream.groups, ...this.#left];
    const { name, hasKeys } = this.#group;
    const stopsMs = await reset.run(this.#connection, [...keys, name, start, tag, graceMs, hasKeys ? 1 : 0]);
    return stopsMs === null ? undefined : (stopsMs as number);
  }

  /** Clears up what the group has left. */
  async clear(): Promise<void> {
    const { stream, linePrefix } = this.#keys;
    while ((await clear.run(this.#connection, [stream.events, ...this.#left, linePrefix, page])) === 1);
  }

  /** Keeps consumers away for some more time, and has the group begin behind `start`, where that is given. False when the reset is another's by now, or others have ended it. */
  insist(tag: string, start: string | undefined): Promise<boolean> {
    return this.#mark(tag, { ms: graceMs, start: start ?? "" });
  }

  /** From now on consumers attach. */
  end(tag: string): Promise<boolean> {
    return this.#mark(tag, { ms: 0, start: "" });
  }

  /** The same, where the record says. */
  giveUp(tag: string): Promise<boolean> {
    return this.#mark(tag, { ms: 0, start: "-" });
  }

  async #mark(tag: string, { ms, start }: { readonly ms: number; readonly start: string }): Promise<boolean> {
    return (await mark.run(this.#connection, [this.#keys.state, wakeKeyOf(this.#keys.stream), tag, ms, start])) === 1;
  }

  get #left(): readonly string[] {
    const { state } = this.#keys;
    return [`${state}:left`, `${state}:left-texts`, `${state}:left-log`];
  }
}
