import type { Transaction } from "../postgres/client/options.ts";
import { checkFunction, checkInteger, checkOptionNames, checkTimeout } from "../runtime/options.ts";
import type { Entry } from "./entry.ts";
import type { StreamGap } from "./options.ts";

/** Writes the result of some entries through `tx`, and does nothing else: it is called again for the same entries after a failure. */
export type ProjectionHandler<Data> = (tx: Transaction, entries: readonly Entry<Data>[]) => Promise<void>;

export interface ProjectOptions {
  /** The most entries in one transaction. Default 500. */
  readonly size?: number;
  /** Milliseconds a transaction may take. Default 30,000. */
  readonly timeout?: number;
  /** Empties the table, for `rebuild`. */
  readonly reset?: (tx: Transaction) => Promise<void>;
  /** Is told what the table will lack because the stream has lost it. Without `onGap` the projection stops there and emits `error`. */
  readonly onGap?: (gap: StreamGap) => void;
}

export interface ProjectionProgress {
  /** Entries read since the projection was begun or rebuilt. */
  readonly entries: number;
  /** The last entry that the table has. */
  readonly position: string;
}

export interface RebuildProgress {
  /** Entries read again. */
  readonly done: number;
  /** Entries there were to read when the rebuild began. */
  readonly total: number;
}

export interface ProjectionEvents {
  /** A transaction was committed. */
  readonly progress: readonly [progress: ProjectionProgress];
  /** A page failed, and is tried again. */
  readonly error: readonly [error: Error];
  /** It has read everything there is. */
  readonly idle: readonly [];
}

export interface RebuildOptions {
  readonly onProgress?: (progress: RebuildProgress) => void;
}

/** A projection's options with their defaults. */
export interface ProjectionPolicy extends Pick<ProjectOptions, "reset" | "onGap"> {
  readonly size: number;
  readonly timeoutMs: number;
}

const optionNames = new Set<string>(["size", "timeout", "reset", "onGap"] satisfies (keyof ProjectOptions)[]);
const rebuildNames = new Set<string>(["onProgress"] satisfies (keyof RebuildOptions)[]);

/** Throws INVALID_OPTION. */
export function toProjectionPolicy(options: ProjectOptions): ProjectionPolicy {
  checkOptionNames("project", options, optionNames);
  const size = checkInteger("size", options.size ?? 500, { min: 1, max: 10_000 });
  const { timeout = 30_000, reset, onGap } = options;
  checkTimeout(timeout, 1);
  if (reset !== undefined) checkFunction("reset", reset);
  if (onGap !== undefined) checkFunction("onGap", onGap);
  return { size, timeoutMs: timeout, ...(reset && { reset }), ...(onGap && { onGap }) };
}

/** Throws INVALID_OPTION. */
export function checkRebuildOptions(options: RebuildOptions): void {
  checkOptionNames("rebuild", options, rebuildNames);
}
