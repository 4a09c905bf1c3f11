import type { ValkeyConnection } from "../client/connection.ts";
import type { StreamKeys } from "./keys.ts";
import { OrderedRuns } from "../client/ordered-runs.ts";
import { scriptsBeside } from "../client/script.ts";
import type { KeptEntry } from "./stream-log.ts";

const script = scriptsBeside(import.meta.url);

const trimPage = 500;
const append = script(3, "client/eras", "stream-state", "group-again", "group-detach", "record-append");
const trim = script(2, "freeing", "client/eras", "stream-state", "group-again", "group-detach", "record-trim");

export interface RecordEnd {
  /** The newest event of the record that is there; undefined when the stream is not there and was not begun. */
  readonly last: string | undefined;
  /** Entries of somebody else that were taken out of the stream. */
  readonly foreign: number;
  /** The end of what was there was not in the record: that was taken out, and counts as `foreign`. */
  readonly wasUnknown: boolean;
}

/** The hot window of one transactional stream, as the relay writes it. */
export class RecordLog {
  readonly #connection: ValkeyConnection;
  readonly #keys: StreamKeys;
  readonly #ordered: OrderedRuns;

  constructor(connection: ValkeyConnection, keys: StreamKeys) {
    this.#connection = connection;
    this.#keys = keys;
    this.#ordered = new OrderedRuns(connection);
  }

  get isOpen(): boolean {
    return this.#connection.isReady;
  }

  /** Where the stream ends. Where it is not there it begins behind `beginAfter`, if that is given. */
  async end(beginAfter = ""): Promise<RecordEnd> {
    return this.#run(["", beginAfter, this.#keys.groupPrefix, "", 3]);
  }

  /** Takes the stream away if it ends with `unknown`, which the record does not have: of its events up to there, `known` is the newest. */
  async disown(unknown: string, known: string): Promise<RecordEnd> {
    return this.#run([known, "", this.#keys.groupPrefix, unknown, 3]);
  }

  /** Appends those of the events that are not there yet, unless there would be a hole after `before`, the event before the first of them. */
  async append(before: string, events: readonly KeptEntry[]): Promise<RecordEnd> {
    const isTraced = events.some(({ trace }) => trace !== undefined);
    const values: (string | number)[] = [before, "", this.#keys.groupPrefix, "", isTraced ? 4 : 3];
    for (const { id, key = "", data = "", trace = "" } of events) {
      values.push(id, key, data);
      if (isTraced) values.push(trace);
    }
    return this.#run(values);
  }

  /** Drops entries that are beyond these limits. Returns true when there may be more to drop. */
  async trim({ maxLength, maxAgeMs }: { readonly maxLength: number | undefined; readonly maxAgeMs: number | undefined }): Promise<boolean> {
    const { events, state, groupPrefix } = this.#keys;
    const dropped = await trim.run(this.#connection, [events, state, maxLength ?? -1, maxAgeMs ?? -1, groupPrefix, trimPage]);
    return dropped === trimPage;
  }

  async #run(values: readonly (string | number)[]): Promise<RecordEnd> {
    const { events, state, foreign } = this.#keys;
    const reply = await this.#ordered.run(append, [events, state, foreign, ...values]);
    const [last, moved, wasUnknown] = reply as [string, number, number];
    return { last: last === "" ? undefined : last, foreign: moved, wasUnknown: wasUnknown === 1 };
  }
}
