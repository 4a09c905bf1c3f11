import { KeylineError } from "../../runtime/errors.ts";
import { checkKey } from "../../runtime/names.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import { longestWaitMs } from "../../work/outcome.ts";
import type { Deduplicate } from "../options.ts";

/** Of all jobs with this key only one is to be there: until it has ended, or for `windowMs`. */
export interface Once {
  readonly key: string;
  readonly windowMs: number | undefined;
  /** Which of those that are added within the window counts. */
  readonly keep: "first" | "latest";
}

const optionNames = new Set<string>(["key", "window", "keep"] satisfies (keyof Deduplicate)[]);

/** Throws INVALID_OPTION. */
export function onceOf(deduplicate: Deduplicate): Once {
  if (typeof deduplicate !== "object" || deduplicate === null) {
    throw new KeylineError("INVALID_OPTION", `deduplicate must be an object with a key, not ${String(deduplicate)}`);
  }
  checkOptionNames("deduplicate", deduplicate, optionNames);
  const { key, window, keep }: { readonly key: string; readonly window?: number | undefined; readonly keep?: string | undefined } =
    deduplicate;
  if (keep !== undefined && keep !== "latest") {
    throw new KeylineError("INVALID_OPTION", `deduplicate.keep must be "latest" or left out, not ${JSON.stringify(keep)}`);
  }
  if (keep !== undefined && window === undefined) {
    throw new KeylineError("INVALID_OPTION", 'deduplicate.keep "latest" needs a window: how long after the last add the job is to run');
  }
  return {
    key: checkKey("deduplicate.key", key),
    windowMs: window === undefined ? undefined : checkInteger("deduplicate.window", window, { min: 1, max: longestWaitMs }),
    keep: keep ?? "first",
  };
}

/** Names and values as add-placed.lua takes them. */
export function onceOptions({ key, windowMs, keep }: Once): (string | number)[] {
  if (windowMs === undefined) return ["key", key];
  return [keep === "latest" ? "latest" : "once", key, "window", windowMs];
}
