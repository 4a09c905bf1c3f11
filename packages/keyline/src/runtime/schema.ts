import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KeylineError, ValidationError } from "./errors.ts";

/** INVALID_OPTION for what is no schema; undefined is none. */
export function checkSchema(schema: unknown): void {
  if (schema === undefined || (isObject(schema) && isObject(schema["~standard"]) && typeof schema["~standard"].validate === "function"))
    return;
  throw new KeylineError("INVALID_OPTION", "schema must be a Standard Schema, as Zod, Valibot and ArkType make them");
}

function isObject(value: unknown): value is Record<string, unknown> {
  // ArkType's are functions.
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** The value as `schema` returns it (defaults filled in, coercions made), or ValidationError. */
export function validate<Output>(subject: string, schema: StandardSchemaV1<unknown, Output>, value: unknown): Output | Promise<Output> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then((settled) => unwrap(subject, settled)) : unwrap(subject, result);
}

function unwrap<Output>(subject: string, result: StandardSchemaV1.Result<Output>): Output {
  if (!result.issues) return result.value;
  const issues = result.issues.map((issue) => ({
    message: issue.message,
    path: (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join("."),
  }));
  throw new ValidationError(subject, issues);
}
