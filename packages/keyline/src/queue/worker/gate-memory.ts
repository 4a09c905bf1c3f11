import type { Gate } from "../../valkey/queue/holding.ts";
import type { Awaited } from "./idle-wait.ts";

/** What a worker knows of its queue's gates: what the last take said. */
export class GateMemory {
  #gate: Gate | undefined;

  /** There are gates, so that takes have to look at them. */
  get isGated(): boolean {
    return this.#gate !== undefined;
  }

  /** There may be jobs that a gate keeps back. */
  get isClosed(): boolean {
    return this.#gate?.state === "closed";
  }

  /** Jobs of a group come one after the other. */
  get isOrdered(): boolean {
    return (this.#gate?.ofGroup ?? 1) === 1;
  }

  /** What to wait for when a take brought less than asked for. */
  get awaited(): Awaited {
    if (!this.#gate) return "job";
    if (!this.isClosed) return "arrival";
    const { waitMs } = this.#gate;
    // It ends by itself when there may be room, and otherwise by a signal.
    return { room: true, withinMs: waitMs >= 0 ? waitMs : Infinity };
  }

  note(gate: Gate | undefined): void {
    if (gate) this.#gate = gate.state === "plain" ? undefined : gate;
  }
}
