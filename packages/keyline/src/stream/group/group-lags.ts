import type { GroupAdmin, GroupState } from "../../valkey/stream/group-admin.ts";
import { compareIds } from "../entry-id.ts";
import { BehindCounter, countInRecord, type Behind, type CountSource } from "../behind-counter.ts";
import type { RecordedEvents } from "./group-record.ts";

/** Of a log on Valkey: pages keep it for a fraction of a millisecond, whatever the entries are like. */
const pageBytes = 65_536;
const mostEntries = 200;
const fewestEntries = 5;
const pagesALook = 100;

/** The lags of a stream's groups, as far as they have to be counted. */
export class GroupLags {
  readonly #events: RecordedEvents | undefined;
  readonly #counters = new Map<string, BehindCounter>();

  constructor(events: RecordedEvents | undefined) {
    this.#events = events;
  }

  async lagOf(name: string, state: GroupState, admin: GroupAdmin): Promise<Behind> {
    const onValkey = await this.#onValkey(name, state, admin);
    if (state.mode !== "backlog" || !this.#events) return onValkey;
    const inRecord = await this.#inRecord(name, state.filled, this.#events);
    return { entries: onValkey.entries + inRecord.entries, isExact: onValkey.isExact && inRecord.isExact };
  }

  /** The server counts from what was ever added: that is right as long as nothing was removed that the group had not been handed out. */
  async #onValkey(name: string, state: GroupState, admin: GroupAdmin): Promise<Behind> {
    const { first, cursor, length, lag, mode, newest } = state;
    if (first === "" || compareIds(first, cursor) > 0) return { entries: length, isExact: true };
    if (lag >= 0) return { entries: lag, isExact: true };
    const log = mode === "backlog" ? admin.keys.group(name).backlog : admin.keys.events;
    const counter = this.#counter(
      log === admin.keys.events ? `${name} events` : `${name} backlog`,
      () => new BehindCounter(countOnValkey(admin, log)),
    );
    const { entries, isExact } = await counter.behind(cursor, newest);
    return { entries: Math.min(entries, length), isExact };
  }

  async #inRecord(name: string, filled: string, events: RecordedEvents): Promise<Behind> {
    const { last } = await events.status();
    return this.#counter(`${name} record`, () => new BehindCounter(countInRecord(events))).behind(filled, last);
  }

  #counter(key: string, make: () => BehindCounter): BehindCounter {
    const known = this.#counters.get(key) ?? make();
    this.#counters.set(key, known);
    return known;
  }
}

function countOnValkey(admin: GroupAdmin, log: string): CountSource {
  let limit = fewestEntries;
  return {
    pagesALook,
    async countPage(after, to) {
      const page = await admin.countPage(log, { after, to, limit: to === "+" ? limit : mostEntries });
      const isFull = page.entries === limit;
      if (page.entries > 0)
        limit = Math.max(fewestEntries, Math.min(mostEntries, limit * 4, Math.floor((pageBytes * page.entries) / (page.bytes + 1))));
      return { ...page, isFull };
    },
  };
}
