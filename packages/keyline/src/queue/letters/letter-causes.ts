import { KeylineError } from "../../runtime/errors.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import { causeOf } from "./cause.ts";
import type { LetterHead } from "./dead-letter.ts";
import { everyLetter } from "./letter-filter.ts";
import type { ReadableShelf } from "./letter-shelf.ts";
import { LetterWalk } from "./letter-walk.ts";

/** Their errors are read: so many keep Valkey for less than a millisecond. */
const page = 250;

/** What dead letters have in common: the kind of their error, and its message without what differs. */
export interface DeadLetterCause {
  /** For the filter `cause` of `deadLetters`, `redrive` and `discard`. */
  readonly cause: string;
  /** The reason of the newest of them. */
  readonly example: string;
  readonly count: number;
  /** When the oldest and the newest of them died, in milliseconds since 1970. */
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface DeadLetterCauses {
  /** Of those that were looked at, the most frequent first. */
  readonly causes: readonly DeadLetterCause[];
  /** How many letters were looked at: the newest ones. */
  readonly looked: number;
  /** How many there are. */
  readonly total: number;
}

export interface CausesOptions {
  /** How many causes at the most. Default 100. */
  readonly limit?: number;
}

const mostLooked = 10_000;
const defaultLimit = 100;
const optionNames = new Set<string>(["limit"] satisfies (keyof CausesOptions)[]);

/** Throws INVALID_OPTION. */
export function checkCauses(options: CausesOptions): number {
  if (typeof options !== "object" || options === null) {
    throw new KeylineError("INVALID_OPTION", "deadLetterCauses takes its options as an object");
  }
  checkOptionNames("deadLetterCauses", options, optionNames);
  return options.limit === undefined ? defaultLimit : checkInteger("limit", options.limit, { min: 1 });
}

/** The causes of the newest letters of each shelf, read page by page. */
export async function causesOf(shelves: readonly ReadableShelf[], limit: number): Promise<DeadLetterCauses> {
  const causes = new Map<string, DeadLetterCause>();
  let looked = 0;
  let total = 0;
  for (const shelf of shelves) {
    const walk = new LetterWalk(shelf, everyLetter, { order: "newest", page });
    let seen = 0;
    let heads = await walk.next();
    for (; heads && seen < mostLooked; heads = await walk.next()) {
      for (const head of heads) count(causes, head);
      seen += heads.length;
    }
    looked += seen;
    total += heads ? Math.max(seen, await shelf.count()) : seen;
  }
  const found = [...causes.values()].sort((one, other) => other.count - one.count || other.lastAt - one.lastAt);
  return { causes: found.slice(0, limit), looked, total };
}

function count(causes: Map<string, DeadLetterCause>, { reason, place }: LetterHead): void {
  const cause = causeOf(reason);
  const at = Math.floor(place / 1_000);
  const known = causes.get(cause);
  if (!known) {
    causes.set(cause, { cause, example: reason, count: 1, firstAt: at, lastAt: at });
    return;
  }
  const isNewer = at > known.lastAt;
  causes.set(cause, {
    cause,
    example: isNewer ? reason : known.example,
    count: known.count + 1,
    firstAt: Math.min(known.firstAt, at),
    lastAt: isNewer ? at : known.lastAt,
  });
}
