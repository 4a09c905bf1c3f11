import { checkOptionNames, checkTimeout } from "../../runtime/options.ts";

export interface WaitOptions {
  /** Milliseconds to wait. Default: no limit. */
  readonly timeout?: number;
  /** Ends the wait: it rejects with the signal's reason. The job goes on. */
  readonly signal?: AbortSignal;
}

const names = new Set<string>(["timeout", "signal"] satisfies (keyof WaitOptions)[]);

/** Throws INVALID_OPTION. */
export function checkWait(options: WaitOptions): WaitOptions {
  checkOptionNames("waitFor", options, names);
  checkTimeout(options.timeout, 0);
  return options;
}
