import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KeylineError, toError, ValidationError } from "../../runtime/errors.ts";
import { parseJson } from "../../runtime/json.ts";
import { validate } from "../../runtime/schema.ts";
import { judgeOutcome, type Verdict } from "../../work/verdict.ts";
import { EntryAttempt } from "./entry-attempt.ts";
import type { HeldEntry } from "./held-entry.ts";
import type { ConsumePolicy } from "./options.ts";

export interface IntakeSetup<Data> {
  readonly stream: string;
  readonly group: string;
  readonly policy: ConsumePolicy;
  readonly schema: StandardSchemaV1<unknown, Data> | undefined;
  /** The ids of those that are settled already, of entries where that is in doubt. Undefined when the consumer stopped meanwhile. */
  readonly findSettled: ((held: readonly HeldEntry<Data>[]) => Promise<ReadonlySet<string> | undefined>) | undefined;
  /** Whether that is in doubt. */
  isDoubtful(held: HeldEntry<Data>): boolean;
  /** The entry is fit to run. */
  start(held: HeldEntry<Data>, entry: EntryAttempt<Data>): void;
  /** It is not: this is what becomes of it. */
  refuse(held: HeldEntry<Data>, verdict: Verdict): void;
}

/** Makes deliveries out of the entries that a consumer was handed out, and finds out which of them are not to be run. */
export class Intake<Data> {
  readonly #setup: IntakeSetup<Data>;

  constructor(setup: IntakeSetup<Data>) {
    this.#setup = setup;
  }

  begin(entries: readonly HeldEntry<Data>[]): void {
    if (!this.#setup.findSettled) {
      for (const held of entries) this.#prepare(held);
      return;
    }
    const doubtful: HeldEntry<Data>[] = [];
    for (const held of entries) {
      if (this.#setup.isDoubtful(held)) doubtful.push(held);
      else this.#prepare(held);
    }
    if (doubtful.length > 0) void this.#beginDoubtful(doubtful, this.#setup.findSettled);
  }

  async #beginDoubtful(
    entries: readonly HeldEntry<Data>[],
    findSettled: (held: readonly HeldEntry<Data>[]) => Promise<ReadonlySet<string> | undefined>,
  ): Promise<void> {
    const settled = await findSettled(entries);
    // The consumer stopped meanwhile, and gives back what it has.
    if (!settled) return;
    for (const held of entries) {
      if (settled.has(held.id)) this.#setup.refuse(held, { kind: "drop", error: undefined });
      else this.#prepare(held);
    }
  }

  #prepare(held: HeldEntry<Data>): void {
    const { schema, stream, group } = this.#setup;
    const subject = `entry ${held.id} of stream ${stream}`;
    let data: unknown;
    try {
      if (held.data === undefined) throw new Error("it has no field named data");
      data = parseJson(held.data);
    } catch (cause) {
      const error = new KeylineError("INVALID_ELEMENT", `${subject} is not valid: ${toError(cause).message}`, { cause });
      return this.#setup.refuse(held, { kind: "bury", attempts: held.attempt, error });
    }
    if (!schema) return this.#start(held, new EntryAttempt(held, data as Data, { group, stream }));
    try {
      const valid = validate(subject, schema, data);
      if (!(valid instanceof Promise)) return this.#start(held, new EntryAttempt(held, valid, { group, stream }));
      valid.then(
        (value) => this.#start(held, new EntryAttempt(held, value, { group, stream })),
        (error: unknown) => this.#refuse(held, error),
      );
    } catch (error) {
      this.#refuse(held, error);
    }
  }

  // Data that does not fit does not fit next time either.
  #refuse(held: HeldEntry<Data>, error: unknown): void {
    if (error instanceof ValidationError) this.#setup.refuse(held, { kind: "bury", attempts: held.attempt, error });
    else this.#setup.refuse(held, judgeOutcome(held.attempt - 1, { kind: "failed", error: toError(error) }, this.#setup.policy));
  }

  #start(held: HeldEntry<Data>, entry: EntryAttempt<Data>): void {
    held.delivered = entry;
    if (held.attempt <= this.#setup.policy.maxAttempts) return this.#setup.start(held, entry);
    const attempts = held.attempt - 1;
    const error = new KeylineError(
      "WORKER_DIED",
      `Entry ${held.id} has had all its ${attempts} attempts, the last of them with a consumer that died: it may be what kills them`,
    );
    this.#setup.refuse(held, { kind: "bury", attempts, error });
  }
}
