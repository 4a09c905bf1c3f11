import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { GroupBeat } from "../../valkey/stream/group-leases.ts";
import type { GroupLog } from "../../valkey/stream/group-log.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { GroupRecord } from "./group-record.ts";

const page = 500;
const most = 2_000;
const lookEveryMs = 50;

/**
 * The duty that fills the backlog of a group which is behind what Valkey keeps of its stream, and has it read the stream again when it has
 * caught up. All consumers of the group do it; a page that another one has brought is passed over.
 */
export class BacklogFiller implements ShiftDuty<unknown, GroupBeat> {
  readonly #log: GroupLog;
  readonly #record: GroupRecord;
  readonly #logger: Logger;
  readonly #onSwitched: () => void;
  readonly #alarm = new Alarm(() => this.#run());

  constructor(log: GroupLog, record: GroupRecord, { logger, onSwitched }: { readonly logger: Logger; readonly onSwitched: () => void }) {
    this.#log = log;
    this.#record = record;
    this.#logger = logger;
    this.#onSwitched = onSwitched;
  }

  start(): void {
    // It is told when the group reads its backlog.
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  follow(): void {
    this.look();
  }

  noteEmpty(): void {
    this.look();
  }

  /** Looks whether there is something to do, if the group reads its backlog. */
  look(): void {
    if (this.#log.mode === "backlog") this.#alarm.set(0);
  }

  async #run(): Promise<void> {
    try {
      if (this.#record.database.isAvailable) await this.#fill();
    } catch (error) {
      this.#logger.debug({ error: toError(error).message, group: this.#log.name }, "a backlog could not be filled yet");
    }
    if (this.#log.mode === "backlog") this.#alarm.set(lookEveryMs);
  }

  async #fill(): Promise<void> {
    const { log, events } = this.#record;
    for (let end = await log.fill("", [], most); end && !end.hasReached && end.room >= page;) {
      const next = await events.readAfter(end.last, page);
      if (next.length === 0) break;
      end = await log.fill(end.last, next, most);
    }
    if (await log.switchOver()) this.#onSwitched();
  }
}
