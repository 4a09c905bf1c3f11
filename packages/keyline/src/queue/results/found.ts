import type { ListEnds } from "../jobs/second-look.ts";

/** What a look at a store shows of a job. */
export type Found =
  /** It has not ended. `isKept` where it is known whether its result will be. */
  | { readonly state: "open"; readonly isKept: boolean | undefined }
  /** Its result as JSON; undefined where it has none. */
  | { readonly state: "completed"; readonly json: string | undefined }
  | { readonly state: "dead"; readonly reason: string; readonly attempts: number }
  | { readonly state: "cancelled" }
  /** Nothing is remembered of it. */
  | { readonly state: "none" };

/** Where one finds out what became of jobs. */
export interface OutcomeShelf {
  /** For each id. */
  find(ids: readonly string[]): Promise<readonly Found[]>;
  /** Those of the ids whose jobs have not ended, and whether their results are kept; with `ends` of a look before this one, in what that may have missed. Not to be asked for where `find` says all there is to know. */
  readonly seek: ((ids: ReadonlySet<string>, ends: ListEnds) => Promise<ReadonlyMap<string, boolean>>) | undefined;
}

export const open: Found = { state: "open", isKept: undefined };
export const none: Found = { state: "none" };
