import { KeylineError } from "./errors.ts";

/**
 * Text that may hold a key which pollutes prototypes once somebody merges the parsed value: the plain spelling, or any
 * escape with which the key could be spelled otherwise.
 */
function isSuspicious(text: string): boolean {
  return text.includes("__proto__") || text.includes("\\u00") || text.includes('"prototype"');
}

/** JSON.parse that refuses `__proto__` as a key at any depth, and `prototype` within `constructor`. */
export function parseJson(text: string): unknown {
  const value = parse(text);
  if (isSuspicious(text)) checkKeys(value);
  return value;
}

// What V8 says of a text that is no JSON has a part of that text in it, which is somebody's data, and belongs into no log.
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SyntaxError(error.message.replace(/^(Unexpected token .{1,4}), .* is not valid JSON$/s, "$1 is not valid JSON"));
  }
}

/** The text of `value`, or NOT_SERIALIZABLE, FORBIDDEN_KEY or PAYLOAD_TOO_LARGE. */
export function toJson(subject: string, value: unknown, maxBytes: number): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new KeylineError("NOT_SERIALIZABLE", `The data for ${subject} cannot be written as JSON: ${why}`, { cause });
  }
  if (text === undefined) {
    throw new KeylineError(
      "NOT_SERIALIZABLE",
      `The data for ${subject} is ${typeof value}, which JSON does not know: pass null, or an object`,
    );
  }
  if (isSuspicious(text)) {
    try {
      checkKeys(JSON.parse(text));
    } catch (cause) {
      throw new KeylineError("FORBIDDEN_KEY", `The data for ${subject} has a key named __proto__ or constructor.prototype: rename it`, {
        cause,
      });
    }
  }
  // A UTF-16 unit is at most three bytes of UTF-8, so that most payloads need no count.
  if (text.length * 3 > maxBytes) {
    const bytes = Buffer.byteLength(text);
    if (bytes > maxBytes) {
      throw new KeylineError(
        "PAYLOAD_TOO_LARGE",
        `The data for ${subject} takes ${bytes} bytes, more than the ${maxBytes} allowed: keep large data elsewhere and send its address, or raise maxPayloadBytes`,
      );
    }
  }
  return text;
}

function checkKeys(value: unknown): void {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== "object" || next === null) continue;
    for (const [key, inner] of Object.entries(next)) {
      const pollutes =
        key === "__proto__" || (key === "constructor" && typeof inner === "object" && inner !== null && Object.hasOwn(inner, "prototype"));
      if (pollutes) throw new SyntaxError(`the key ${key} is not allowed`);
      open.push(inner);
    }
  }
}
