import type { StandardSchemaV1 } from "@standard-schema/spec";
import { KeylineError, toError } from "../runtime/errors.ts";
import { toJson } from "../runtime/json.ts";
import { validate } from "../runtime/schema.ts";
import { checkKey } from "./options.ts";

/** An event that may be appended. */
export interface CheckedEvent {
  readonly dataJson: string;
  readonly key: string | undefined;
}

export interface EventRules {
  readonly subject: string;
  readonly schema: StandardSchemaV1 | undefined;
  readonly key: ((event: unknown) => string) | undefined;
  readonly maxPayloadBytes: number;
}

/** The event as it is sent; throws ValidationError, INVALID_KEY, NOT_SERIALIZABLE, FORBIDDEN_KEY and PAYLOAD_TOO_LARGE before anything is. */
export function checkEvent(rules: EventRules, event: unknown): CheckedEvent | Promise<CheckedEvent> {
  if (!rules.schema) return toChecked(rules, event, event);
  const valid = validate(rules.subject, rules.schema, event);
  return valid instanceof Promise ? valid.then((output) => toChecked(rules, event, output)) : toChecked(rules, event, valid);
}

// What is sent is what the caller gave: each reader validates it again. The key is taken of what the schema makes of it.
function toChecked(rules: EventRules, event: unknown, valid: unknown): CheckedEvent {
  return { dataJson: toJson(rules.subject, event, rules.maxPayloadBytes), key: rules.key && keyOf(rules, valid) };
}

function keyOf({ subject, key }: EventRules, event: unknown): string | undefined {
  let found: string | undefined;
  try {
    found = key?.(event);
  } catch (cause) {
    throw new KeylineError("INVALID_KEY", `The key function of ${subject} threw: ${toError(cause).message}`, { cause });
  }
  return checkKey(`The key of an event of ${subject}`, found as string);
}
