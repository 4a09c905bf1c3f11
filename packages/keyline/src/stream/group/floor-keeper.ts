import { Alarm } from "../../runtime/alarm.ts";
import type { Duty } from "../../runtime/duty.ts";
import { toError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { GroupRecord } from "./group-record.ts";
import { idBefore } from "../entry-id.ts";

const everyMs = 1_000;
// Settled events are forgotten in two steps: one says which, a later one when nobody needs them any more.
const roundsAfterwards = 3;
const handOutEveryMs = 60_000;

/**
 * The duty that moves a group's floor in PostgreSQL up to what Valkey has finished, forgets what is settled below it, and hands out
 * redriven dead letters that somebody marked and did not hand out. It runs once a second while entries end.
 */
export class FloorKeeper implements Duty {
  readonly #record: GroupRecord;
  readonly #logger: Logger;
  readonly #alarm = new Alarm(() => this.#run());
  #rounds = 0;
  #floor = "0-0";
  #nextHandOut = performance.now() + handOutEveryMs;

  constructor(record: GroupRecord, logger: Logger) {
    this.#record = record;
    this.#logger = logger;
  }

  start(): void {
    this.note();
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    await this.#alarm.stop();
    if (this.#rounds > 0) await this.#run();
  }

  /** An entry has ended. */
  note(): void {
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
    const floor = await this.#record.log.floor(this.#floor);
    if (floor) {
      const id = floor.isFinished ? floor.id : idBefore(floor.id);
      await this.#record.table.moveFloor(id);
      this.#floor = id;
    }
    await this.#record.table.forget();
    if (performance.now() < this.#nextHandOut) return;
    this.#nextHandOut = performance.now() + handOutEveryMs;
    await this.#record.handOutRedriven();
  }
}
