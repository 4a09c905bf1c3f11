import { groupScript } from "./group-script.ts";
import type { GroupLog } from "./group-log.ts";
import { wakeKeyOf } from "./group-wake.ts";

/** An event of the record. */
interface RecordedEntry {
  readonly id: string;
  readonly key: string | undefined;
  readonly data: string | undefined;
  readonly trace?: string | undefined;
}

const floor = groupScript(3, "group-floor");
const fill = groupScript(3, "group-fill");
const switchOver = groupScript(7, "group-switch");
const handOut = groupScript(6, "group-hand-out");

/** What a consumer group of a transactional stream does on Valkey besides: it meets the record. */
export class GroupRecordLog {
  readonly #log: GroupLog;

  constructor(log: GroupLog) {
    this.#log = log;
  }

  /** Up to where everything that was handed out is finished: `id` itself, or what is before it. Undefined when that cannot be said. */
  async floor(known: string): Promise<{ readonly id: string; readonly isFinished: boolean } | undefined> {
    const { log, name, keys, connection } = this.#log;
    const reply = (await floor.run(connection, [log, keys.again, keys.entries, name, known])) as [string, number] | null;
    return reply ? { id: reply[0], isFinished: reply[1] === 1 } : undefined;
  }

  /** Adds entries that follow `after` to the backlog. Returns where it ends then, how many more it takes, and whether the stream has all that follows; undefined when it is not read. */
  async fill(
    after: string,
    entries: readonly RecordedEntry[],
    most: number,
  ): Promise<{ readonly last: string; readonly room: number; readonly hasReached: boolean } | undefined> {
    const { name, keys, connection } = this.#log;
    const values = [keys.backlog, keys.state, keys.stream.state, name, after, most, ...valuesOf(entries)];
    const reply = (await fill.run(connection, values)) as [string, number, number] | null;
    return reply ? { last: reply[0], room: reply[1], hasReached: reply[2] === 1 } : undefined;
  }

  /** Has the group read the stream again, if it can. */
  async switchOver(): Promise<boolean> {
    const { name, keys, connection, linePrefix } = this.#log;
    const { stream, backlog, state, again, entries, consumers } = keys;
    const reply = await switchOver.run(connection, [
      backlog,
      state,
      stream.events,
      stream.state,
      again,
      entries,
      consumers,
      name,
      linePrefix,
    ]);
    return reply === 1;
  }

  /** Hands out events that had been dead letters, unless they are under way, or the group is to read them yet. Returns how many. */
  async handOut(entries: readonly RecordedEntry[]): Promise<number> {
    const { name, keys, connection, linePrefix } = this.#log;
    const { stream, backlog, state, again } = keys;
    const all = [stream.events, backlog, state, again, keys.entries, wakeKeyOf(stream)];
    return (await handOut.run(connection, [...all, name, linePrefix, ...valuesOf(entries)])) as number;
  }
}

/** How many values each has, and these. */
function valuesOf(entries: readonly RecordedEntry[]): (string | number)[] {
  const isTraced = entries.some(({ trace }) => trace !== undefined);
  const values: (string | number)[] = [isTraced ? 4 : 3];
  for (const { id, key = "", data = "null", trace = "" } of entries) {
    values.push(id, key, data);
    if (isTraced) values.push(trace);
  }
  return values;
}
