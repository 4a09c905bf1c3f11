import { Problem } from "./problem.ts";

// Real payloads are far flatter; what is deeper is made to exhaust the stack of whoever walks it.
const deepest = 64;
// An empty object takes two bytes of a body, and dozens in memory: what it costs to read goes by their number.
const mostObjects = 20_000;

/**
 * The value of JSON text from outside. Throws a 400 problem for what is no JSON, is nested deeper than 64 levels, has more than 20,000 objects and
 * arrays, or has a key that pollutes prototypes once somebody merges the value: `__proto__`, or `prototype` within `constructor`.
 */
export function parseUntrustedJson(text: string): unknown {
  checkShape(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Problem({ title: "The text is not valid JSON", status: 400, code: "INVALID_JSON" });
  }
  // Walking all of it takes longer than parsing it did, and these keys cannot be written otherwise.
  if (/__proto__|constructor|\\u/i.test(text)) checkKeys(value);
  return value;
}

/** Before anything is made of the text. What is no JSON may pass: the parser says so. */
function checkShape(text: string): void {
  let [depth, objects, isInString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isInString) {
      if (code === backslash) at++;
      else if (code === quote) isInString = false;
    } else if (code === quote) {
      isInString = true;
    } else if (code === openBracket || code === openBrace) {
      objects++;
      if (++depth > deepest) {
        throw new Problem({ title: `The JSON is nested deeper than ${deepest} levels`, status: 400, code: "NESTED_TOO_DEEPLY" });
      }
    } else if (code === closeBracket || code === closeBrace) {
      depth--;
    }
  }
  if (objects > mostObjects) {
    throw new Problem({ title: `The JSON has more than ${mostObjects} objects and arrays`, status: 400, code: "TOO_MANY_OBJECTS" });
  }
}

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** The text was not too deep: neither is this recursion. */
function checkKeys(value: unknown): void {
  if (!isObject(value)) return;
  if (!Array.isArray(value) && pollutes(value)) {
    throw new Problem({ title: "The keys __proto__ and constructor.prototype are not allowed", status: 400, code: "FORBIDDEN_KEY" });
  }
  for (const inner of Object.values(value)) checkKeys(inner);
}

function pollutes(holder: object): boolean {
  if (Object.hasOwn(holder, "__proto__")) return true;
  return Object.hasOwn(holder, "constructor") && isObject(holder.constructor) && Object.hasOwn(holder.constructor, "prototype");
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
