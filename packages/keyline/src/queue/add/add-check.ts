import type { StandardSchemaV1 } from "@standard-schema/spec";
import { newId } from "../../runtime/ids.ts";
import { toJson } from "../../runtime/json.ts";
import { checkId } from "../../runtime/names.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import { validate } from "../../runtime/schema.ts";
import type { AddRequest } from "./add-request.ts";
import { placementOf } from "./placement.ts";
import { checkKeepResult, type AddOptions, type TransactionalAddOptions } from "../options.ts";

const jobOptions = [
  "id",
  "maxAttempts",
  "delay",
  "runAt",
  "priority",
  "group",
  "deduplicate",
  "keepResult",
] as const satisfies (keyof AddOptions)[];
const addOptionNames = new Set<string>([...jobOptions, "tx", "children", "onChildDead"] satisfies (keyof TransactionalAddOptions)[]);
const jobOptionNames = new Set<string>(jobOptions);
const addManyOptionNames = new Set(["tx"]);
const noOptions: AddOptions = {};

/** Finds out, before anything is sent, whether a job can be added as its caller says. */
export class AddCheck<Input> {
  readonly #subject: string;
  readonly #schema: StandardSchemaV1 | undefined;
  readonly #maxPayloadBytes: number;
  readonly #keepMs: number | undefined;

  constructor(
    queue: string,
    {
      schema,
      maxPayloadBytes,
      keepMs,
    }: { readonly schema: StandardSchemaV1 | undefined; readonly maxPayloadBytes: number; readonly keepMs: number | undefined },
  ) {
    this.#subject = `queue ${queue}`;
    this.#schema = schema;
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#keepMs = keepMs;
  }

  /** Throws, or rejects with, INVALID_OPTION, INVALID_ID, ValidationError, NOT_SERIALIZABLE, FORBIDDEN_KEY or PAYLOAD_TOO_LARGE. */
  check(data: Input, options: AddOptions, trace?: string): AddRequest | Promise<AddRequest> {
    if (!this.#schema) return this.#toRequest(data, options, trace);
    const valid = validate(this.#subject, this.#schema, data);
    // What is sent is what the caller gave: the worker validates it again, and gets what the schema makes of it.
    return valid instanceof Promise ? valid.then(() => this.#toRequest(data, options, trace)) : this.#toRequest(data, options, trace);
  }

  /** The data of a job as JSON. Throws what `check` throws for it. */
  async toJson(data: Input): Promise<string> {
    return (await this.check(data, noOptions)).dataJson;
  }

  /** `check` for each of several. */
  checkAll(jobs: readonly ({ readonly data: Input } & AddOptions)[], trace?: string): Promise<AddRequest[]> {
    return Promise.all(
      jobs.map(async (job) => {
        const { data, ...options } = job ?? {};
        checkOptionNames("a job of addMany", job && options, jobOptionNames);
        return this.check(data, options, trace);
      }),
    );
  }

  #toRequest(data: Input, options: AddOptions, trace: string | undefined): AddRequest {
    const { id, maxAttempts, keepResult } = options;
    if (maxAttempts !== undefined) checkInteger("maxAttempts", maxAttempts, { min: 1, max: 1_000_000 });
    const request = {
      id: id === undefined ? newId() : checkId(id),
      isOwnId: id !== undefined,
      dataJson: toJson(this.#subject, data, this.#maxPayloadBytes),
      maxAttempts,
      placement: placementOf(options),
      keepMs: keepResult === undefined ? this.#keepMs : checkKeepResult(keepResult),
    };
    return trace === undefined ? request : { ...request, trace };
  }
}

/** Throws INVALID_OPTION. */
export function checkAddOptions(options: TransactionalAddOptions): void {
  checkOptionNames("add", options, addOptionNames);
}

/** Throws INVALID_OPTION. */
export function checkAddManyOptions(jobs: unknown, options: Pick<TransactionalAddOptions, "tx">): void {
  if (!Array.isArray(jobs))
    throw new KeylineError("INVALID_OPTION", `addMany takes an array of jobs, not ${jobs === null ? "null" : typeof jobs}`);
  checkOptionNames("addMany", options, addManyOptionNames);
}

/** The same for the options of a child. */
export function checkedChild(options: AddOptions): AddOptions {
  checkOptionNames("a child", options, jobOptionNames);
  return options;
}
