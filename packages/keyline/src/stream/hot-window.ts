import type { EventOutlet } from "../postgres/event/event-relay.ts";
import type { EventRow, EventTable } from "../postgres/event/event-table.ts";
import type { Logger } from "../runtime/logger.ts";
import type { RecordEnd, RecordLog } from "../valkey/stream/record-log.ts";
import type { StreamPolicy } from "./options.ts";

/** The part of a transactional stream that Valkey holds. */
export class HotWindow implements EventOutlet {
  readonly table: EventTable;
  readonly #log: RecordLog;
  readonly #policy: StreamPolicy;
  readonly #logger: Logger;

  constructor(
    log: RecordLog,
    { table, policy, logger }: { readonly table: EventTable; readonly policy: StreamPolicy; readonly logger: Logger },
  ) {
    this.table = table;
    this.#log = log;
    this.#policy = policy;
    this.#logger = logger;
  }

  get isOpen(): boolean {
    return this.#log.isOpen;
  }

  async end(): Promise<string | undefined> {
    return this.#note(await this.#log.end());
  }

  async begin(): Promise<string | undefined> {
    const { maxLength = 0x7fffffff, maxAgeMs } = this.#policy;
    const oldest = maxAgeMs === undefined ? "0-0" : `${Math.max(0, Date.now() - maxAgeMs)}-0`;
    return this.#note(await this.#log.end(await this.table.beforeNewest(maxLength, oldest)));
  }

  async append(before: string, events: readonly EventRow[]): Promise<string | undefined> {
    return this.#note(await this.#log.append(before, events));
  }

  async missing(end: string, limit: number): Promise<readonly EventRow[] | undefined> {
    const { isKnown, events } = await this.table.readBehind(end, limit);
    if (isKnown) return events;
    // The record was read after that end, and has everything before Valkey has it: so this is no event that was just appended.
    await this.table.beginBehind(end);
    this.#note(await this.#log.disown(end, await this.table.newestUpTo(end)));
    return undefined;
  }

  /** Drops a page of what is old. Returns true when there may be more to drop. */
  trim(): Promise<boolean> {
    return this.#log.trim(this.#policy);
  }

  #note({ last, foreign, wasUnknown }: RecordEnd): string | undefined {
    if (wasUnknown) {
      this.#logger.warn(
        { stream: this.table.stream, entries: foreign },
        "Valkey had events of a transactional stream that its record does not have, as after PostgreSQL was restored from a backup: they " +
          "were taken out and are in its list `foreign`; what comes gets ids behind theirs",
      );
    } else if (foreign > 0) {
      this.#logger.warn(
        { stream: this.table.stream, entries: foreign },
        "entries that somebody else wrote into a transactional stream were taken out of it: they are in its list `foreign`",
      );
    }
    return last;
  }
}
