import { Problem } from "./problem.ts";

// Real payloads are far flatter; what is deeper is made to exhaust the stack of whoever walks it.
const deepest = 64;

/**
 * The value of JSON text from outside. Throws a 400 problem for what is no JSON, is nested deeper than 64 levels, or has a key that pollutes
 * prototypes once somebody merges the value: `__proto__`, or `prototype` within `constructor`.
 */
export function parseUntrustedJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Problem({ title: "The text is not valid JSON", status: 400, code: "INVALID_JSON" });
  }
  checkDepthAndKeys(value);
  return value;
}

/** Level by level and without recursion: the depth is what cannot be trusted. */
function checkDepthAndKeys(value: unknown): void {
  let level = [value].filter(isObject);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > deepest) {
      throw new Problem({ title: `The JSON is nested deeper than ${deepest} levels`, status: 400, code: "NESTED_TOO_DEEPLY" });
    }
    const next: object[] = [];
    for (const holder of level) {
      if (!Array.isArray(holder)) checkKeys(holder);
      for (const inner of Object.values(holder)) if (isObject(inner)) next.push(inner);
    }
    level = next;
  }
}

function checkKeys(holder: object): void {
  const pollutes =
    Object.hasOwn(holder, "__proto__") ||
    (Object.hasOwn(holder, "constructor") && isObject(holder.constructor) && Object.hasOwn(holder.constructor, "prototype"));
  if (pollutes) {
    throw new Problem({ title: "The keys __proto__ and constructor.prototype are not allowed", status: 400, code: "FORBIDDEN_KEY" });
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
