import type { TransactionClient } from "../../postgres/client/options.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { checkOptionNames } from "../../runtime/options.ts";
import type { AddCheck } from "../add/add-check.ts";
import { placementOf } from "../add/placement.ts";
import type { Priority } from "../options.ts";
import type { JobState } from "./queued-job.ts";

/** What is to be other than it was: at least one of these. */
export interface JobChanges<Input = unknown> {
  readonly data?: Input;
  /** Milliseconds from now on in which it does not run; 0: it is due now. Not with `runAt`. */
  readonly delay?: number;
  /** When it is to run at the earliest: a Date, or milliseconds since 1970. Not with `delay`. */
  readonly runAt?: Date | number;
  /** A job that waits goes to the tail of those with this priority. */
  readonly priority?: Priority;
}

export interface ChangeOptions {
  /** On a transactional queue: a `pg` client inside a transaction, by whose COMMIT it is done. */
  readonly tx?: TransactionClient;
}

export const changeOptionNames: ReadonlySet<string> = new Set<string>(["tx"] satisfies (keyof ChangeOptions)[]);

/** What came of it. */
export interface UpdateResult {
  /** Whoever runs the job from now on gets it as it was changed. False: nothing was changed. */
  readonly updated: boolean;
  /** Where the job is; where it was not updated, this is why. "unknown": there is none, or it has ended and nothing is remembered of it. */
  readonly state: JobState | "unknown";
}

/** Changes that were checked; undefined stays as it is. */
export interface CheckedChanges {
  readonly dataJson: string | undefined;
  readonly delayMs: number | undefined;
  readonly runAt: number | undefined;
  readonly priority: Priority | undefined;
}

const names = ["data", "delay", "runAt", "priority"] as const satisfies readonly (keyof JobChanges)[];
const nameSet = new Set<string>(names);

/** Throws INVALID_OPTION, ValidationError, NOT_SERIALIZABLE, FORBIDDEN_KEY and PAYLOAD_TOO_LARGE. */
export async function checkChanges<Input>(changes: JobChanges<Input>, check: AddCheck<Input>): Promise<CheckedChanges> {
  if (typeof changes !== "object" || changes === null) throw refusal("update takes what is to be changed as an object");
  checkOptionNames("update", changes, nameSet);
  const given = names.filter((name) => name in changes);
  if (given.length === 0) throw refusal(`update needs to know what is to be changed: one of ${names.join(", ")}`);
  for (const name of given) if (name !== "data" && changes[name] === undefined) throw refusal(`${name} must not be undefined`);
  const { data, delay, runAt, priority } = changes;
  const placement = placementOf({
    ...(delay === undefined ? {} : { delay }),
    ...(runAt === undefined ? {} : { runAt }),
    ...(priority === undefined ? {} : { priority }),
  });
  return {
    delayMs: delay === undefined ? undefined : (placement?.delayMs ?? 0),
    runAt: placement?.runAt,
    priority,
    dataJson: "data" in changes ? await check.toJson(data as Input) : undefined,
  };
}

function refusal(message: string): KeylineError {
  return new KeylineError("INVALID_OPTION", message);
}
