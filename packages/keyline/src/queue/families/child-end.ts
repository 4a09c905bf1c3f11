import type { Origin } from "../../valkey/queue/families.ts";

/** What is told to the parent of a child that has ended. */
export interface ChildEnd extends Origin {
  readonly number: string;
  /** As JSON. */
  readonly outcome: string;
}
