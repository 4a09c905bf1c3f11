import { KeylineError, toError } from "../../runtime/errors.ts";
import { parseJson } from "../../runtime/json.ts";
import type { Trade } from "../../work/trade.ts";
import type { HeldEntry } from "./held-entry.ts";

/** The data of an entry as it was sent. Throws INVALID_ELEMENT. */
export function readData<Data>(held: HeldEntry<Data>, { nameOf }: Trade<HeldEntry<Data>>): unknown {
  try {
    if (held.data === undefined) throw new Error("it has no field named data");
    return parseJson(held.data);
  } catch (cause) {
    throw new KeylineError("INVALID_ELEMENT", `${nameOf(held)} is not valid: ${toError(cause).message}`, { cause });
  }
}
