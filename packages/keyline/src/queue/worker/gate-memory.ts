import type { Gate } from "../../valkey/queue/settle-reply.ts";
import type { Awaited } from "./idle-wait.ts";

/** What a worker knows of its queue's gates: what the last take said, or nothing. */
export class GateMemory {
  #gate: Gate | undefined;
  #isKnown = false;
  #isOwed = false;

  /** There are gates, or there may be, so that takes have to look at them. */
  get isGated(): boolean {
    return !this.#isKnown || this.#gate !== undefined;
  }

  /** The server is to know that this worker has looked since they changed, also where it has no room for a job. */
  get isOwed(): boolean {
    return this.#isOwed;
  }

  /** There may be jobs that a gate keeps back. */
  get isClosed(): boolean {
    return this.#gate?.state === "closed";
  }

  /** Jobs of a group come one after the other. */
  get isOrdered(): boolean {
    return (this.#gate?.ofGroup ?? 1) === 1;
  }

  /** Jobs were cancelled lately, or may have been. */
  get isCancelling(): boolean {
    return !this.#isKnown || this.#gate?.isCancelling === true;
  }

  /** What to wait for when a take brought less than asked for. */
  get awaited(): Awaited {
    if (!this.isGated) return "job";
    if (this.#gate?.state !== "closed") return "arrival";
    const { waitMs } = this.#gate;
    // It ends by itself when there may be room, and otherwise by a signal.
    return { room: true, withinMs: waitMs >= 0 ? waitMs : Infinity };
  }

  /** What a look at them has shown. */
  note(gate: Gate): void {
    this.#isKnown = true;
    this.#gate = gate.state === "plain" ? undefined : gate;
  }

  /** A command is sent that looks at them. */
  noteLook(): void {
    this.#isOwed = false;
  }

  /** They may have changed. */
  forget(): void {
    this.#isKnown = false;
    this.#isOwed = true;
  }
}
