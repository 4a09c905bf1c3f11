import type { ValkeyConnection } from "../client/connection.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const read = script(1, "schedule-read");
const keep = script(1, "base", "place", "schedule-keep");
const remove = script(2, "schedule-remove");
const due = script(2, "schedule-due");

/** The schedules of one plain queue, as texts. */
export class Ticks {
  readonly #connection: ValkeyConnection;
  readonly #keys: QueueKeys;

  constructor(connection: ValkeyConnection, keys: QueueKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** The schedule's text, and the server's time. */
  async read(name: string): Promise<{ readonly now: number; readonly text: string | undefined }> {
    const [now, text] = (await read.run(this.#connection, [this.#keys.schedules, name])) as [number, string | null];
    return { now, text: text ?? undefined };
  }

  /**
   * Writes a schedule's text and adds jobs, if what is there begins as `begins` says ("" for nothing there). Returns whether it did. Workers are told
   * where no other tick comes earlier.
   */
  async keep(
    name: string,
    { begins, text, nextAt }: { readonly begins: string; readonly text: string; readonly nextAt: number | undefined },
    elements: readonly string[] = [],
  ): Promise<boolean> {
    return (await keep.run(this.#connection, [this.#keys.workers, name, begins, text, nextAt ?? "", ...elements])) === 1;
  }

  /** False when there was none. */
  async remove(name: string): Promise<boolean> {
    return (await remove.run(this.#connection, [this.#keys.schedules, this.#keys.ticks, name])) === 1;
  }

  /** The names of all schedules, in their order. */
  async names(): Promise<string[]> {
    const names = await this.#connection.client.hkeys(this.#keys.schedules);
    return names.sort((one, other) => (one < other ? -1 : 1));
  }

  /** The texts of those that are there. */
  async texts(names: readonly string[]): Promise<(readonly [name: string, text: string])[]> {
    const texts = await this.#connection.client.hmget(this.#keys.schedules, ...names);
    return names.flatMap((name, index) => {
      const text = texts[index];
      return typeof text === "string" ? [[name, text] as const] : [];
    });
  }

  /** Schedules whose next tick is due, up to `limit`, and milliseconds until another one's is. */
  async due(limit: number): Promise<{
    readonly now: number;
    readonly nextMs: number | undefined;
    readonly texts: (readonly [name: string, text: string])[];
  }> {
    const [now, next, ...names] = (await due.run(this.#connection, [this.#keys.schedules, this.#keys.ticks, limit])) as [
      number,
      number,
      ...string[],
    ];
    const texts: (readonly [string, string])[] = [];
    for (let index = 0; index + 1 < names.length; index += 2) texts.push([names[index] ?? "", names[index + 1] ?? ""]);
    return { now, nextMs: next < 0 ? undefined : next, texts };
  }
}
