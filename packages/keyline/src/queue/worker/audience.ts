import type { TrackedKind } from "../../valkey/queue/tracked.ts";

/** Who listens to what becomes of a queue's jobs, as far as a worker knows. While nobody does, nothing is written for them. */
export class Audience {
  /** Somebody waits for the end of a job whose result is not kept. */
  awaitsEnds = false;
  /** Somebody follows all that becomes of jobs. */
  followsEvents = false;
  /** As a renewal of the lease says it. */
  text = "";

  note(kinds: readonly TrackedKind[]): void {
    this.awaitsEnds = kinds.includes("ends");
    this.followsEvents = kinds.includes("events");
    this.text = kinds.join(" ");
  }
}
