import { performance } from "../../runtime/clock.ts";
import { Alarm } from "../../runtime/alarm.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { GroupBeat, Loss } from "../../valkey/stream/group-leases.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { GroupRecord } from "./group-record.ts";
import { idBefore } from "../entry-id.ts";

const everyMs = 1_000;
// Settled events are forgotten in two steps: one says which, a later one when nobody needs them any more.
const roundsAfterwards = 3;
const minuteMs = 60_000;

/**
 * The duty that moves a group's floor in PostgreSQL up to what Valkey has finished, and forgets what is settled below it. It runs once a
 * second while entries end; once a minute it also hands out redriven dead letters that somebody marked and did not hand out, and tells
 * what retention dropped from the record before the group had finished it.
 */
export class FloorMover implements ShiftDuty<unknown, GroupBeat> {
  readonly #record: GroupRecord;
  readonly #logger: Logger;
  readonly #onLost: (loss: Loss) => void;
  readonly #alarm = new Alarm(() => this.#run());
  #rounds = 0;
  #floor = "0-0";
  #resets = 0;
  #nextMinute = 0;

  constructor(record: GroupRecord, { logger, onLost }: { readonly logger: Logger; readonly onLost: (loss: Loss) => void }) {
    this.#record = record;
    this.#logger = logger;
    this.#onLost = onLost;
  }

  start(): void {
    this.noteEnded();
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    await this.#alarm.stop();
    if (this.#rounds > 0) await this.#run();
  }

  noteEnded(): void {
    this.#rounds = 1 + roundsAfterwards;
    this.#alarm.set(everyMs);
  }

  async #run(): Promise<void> {
    this.#rounds--;
    try {
      if (this.#record.database.isAvailable) await this.#move();
    } catch (error) {
      this.#logger.debug({ error: toError(error).message }, "a floor could not be moved yet");
    }
    if (this.#rounds > 0) this.#alarm.set(everyMs);
  }

  async #move(): Promise<void> {
    const { resets } = this.#record;
    if (resets !== this.#resets) this.#floor = "0-0";
    this.#resets = resets;
    const floor = await this.#record.log.floor(this.#floor);
    if (floor) {
      const id = floor.isFinished ? floor.id : idBefore(floor.id);
      await this.#record.table.moveFloor(id, resets);
      this.#floor = id;
    }
    await this.#record.table.forget();
    if (performance.now() < this.#nextMinute) return;
    const loss = await this.#record.table.takeLoss();
    if (loss) this.#onLost(loss);
    await this.#record.handOutRedriven();
    this.#nextMinute = performance.now() + minuteMs;
  }
}
