import type { TransactionClient } from "../../postgres/client/options.ts";
import type { Child, FamilyOptions } from "../options.ts";

/** What became of a child. */
export interface ChildResult<Value = unknown> {
  readonly queue: string;
  readonly id: string;
  /** "open": it has not ended, and its parent did not wait for it. */
  readonly outcome: "completed" | "dead" | "cancelled" | "open";
  /** What its handler returned, or the effects of its settle; undefined where that was nothing. */
  readonly value: Value | undefined;
  /** Why it is dead. */
  readonly reason: string | undefined;
}

export interface ChildrenOptions extends Pick<FamilyOptions, "onChildDead"> {
  /** On a transactional queue: the transaction that a step gives. */
  readonly tx?: TransactionClient;
  /** On a plain queue: by which a handler that is run again adds them only once. */
  readonly name?: string;
}

/** Some of a job's children, in their order; `next` is where the others begin, if there may be more. */
export interface ChildrenPage {
  readonly results: readonly ChildResult[];
  readonly next: string | undefined;
}

/** What a job is given to have children with. */
export interface Familial {
  /** The children behind `after`, from the first one on where that is empty. */
  page(after: string): Promise<ChildrenPage>;
  add(children: readonly Child[], options: ChildrenOptions): Promise<void>;
  ended(): Promise<void>;
}
