import { Alarm } from "../../runtime/alarm.ts";
import type { Beat } from "../../valkey/queue/leases.ts";
import type { ShiftDuty } from "../../work/shift-parts.ts";
import type { HeldJob } from "../worker/held-jobs.ts";
import type { PlainFamilies } from "./plain-families.ts";

const lookEveryMs = 1_000;

/**
 * The duty that sees to the families of a plain queue: parents are told of children that end here, and what others have left undone is done. It looks once a second for as long as the
 * queue has parents or children, which it learns from signals and renewals of the lease.
 */
export class FamilyDuty implements ShiftDuty<HeldJob<unknown>, Beat> {
  readonly #queue: string;
  readonly #families: PlainFamilies;
  readonly #alarm = new Alarm(() => this.#look());
  #areThere = false;

  constructor(queue: string, families: PlainFamilies) {
    this.#queue = queue;
    this.#families = families;
  }

  start(): void {
    // It is told when there are some.
  }

  stop(): Promise<void> {
    return this.#alarm.stop();
  }

  follow({ families = 0 }: Beat): void {
    this.#areThere = families > 0;
    if (this.#areThere) this.#alarm.set(lookEveryMs);
  }

  noteEnded({ childEnd }: HeldJob<unknown>): void {
    if (childEnd) this.#families.noteEnded(this.#queue, childEnd);
  }

  /** There is something to look at. */
  look(): void {
    this.#areThere = true;
    this.#alarm.set(0);
  }

  async #look(): Promise<void> {
    await this.#families.lookAfter(this.#queue);
    if (this.#areThere) this.#alarm.set(lookEveryMs);
  }
}
