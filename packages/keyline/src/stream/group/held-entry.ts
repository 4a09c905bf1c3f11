import type { HandedEntry } from "../../valkey/stream/group-log.ts";
import type { Held, Phase } from "../../work/held.ts";
import type { Verdict } from "../../work/verdict.ts";
import type { EntryAttempt } from "./entry-attempt.ts";

/** An entry that this consumer was handed out and that has not ended. */
export class HeldEntry<Data> implements Held<EntryAttempt<Data>> {
  readonly id: string;
  readonly key: string | undefined;
  /** As the stream has it; undefined where a foreign writer left it out. */
  readonly data: string | undefined;
  /** Of whoever appended it, where it came with one. */
  readonly trace: string | undefined;
  readonly attempts: number;
  /** It is kept in `again`, not pending on the log. */
  isAgain: boolean;
  phase: Phase = "running";
  attempt: EntryAttempt<Data> | undefined;
  verdict: Verdict | undefined;
  /** A command that ended it went out, and its answer got lost. */
  isUnsure = false;

  constructor({ id, key, data, trace, attempt, isAgain }: HandedEntry) {
    this.id = id;
    this.key = key;
    this.data = data;
    this.trace = trace;
    this.attempts = attempt - 1;
    this.isAgain = isAgain;
  }

  /** To acknowledge it is all that its end takes, on a stream without keys. */
  get isPlain(): boolean {
    return !this.isAgain && !this.isUnsure;
  }
}

/** What becomes of an entry on Valkey when its attempt has ended. */
export type Disposal =
  | { readonly kind: "finish" }
  | { readonly kind: "retry"; readonly attempts: number; readonly delayMs: number }
  | { readonly kind: "bury"; readonly attempts: number; readonly letter: string };
