import type { GroupLetterRows } from "../../postgres/event/group-letter-rows.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import type { GroupLetterLog, MeantLetters } from "../../valkey/stream/group-letter-log.ts";
import type { LetterProgress } from "../../work/letter-progress.ts";
import { isEntryId } from "../entry-id.ts";
import { dataOf, readLetter, type GroupDeadLetter } from "./dead-letter.ts";

export interface GroupLettersOptions {
  /** How many at the most. Default: all. */
  readonly limit?: number;
  /** Behind the letter that had this cursor. */
  readonly cursor?: string;
}

/** How an act on many letters is followed and stopped. */
export interface GroupActOptions {
  /** Called after each page of up to 500; what it returns is awaited. */
  readonly onProgress?: (progress: LetterProgress) => unknown;
  /** Stops between two pages: the call rejects with its reason, and what was done stays done. */
  readonly signal?: AbortSignal;
}

export interface GroupRedriveOptions extends GroupActOptions {
  /** Those of these entries. Default: all. */
  readonly ids?: readonly string[];
  /** How many at the most, oldest first; not with `ids`. */
  readonly limit?: number;
}

/** One of the two: nothing empties everything by accident. */
export type GroupDiscardOptions = GroupActOptions & ({ readonly ids: readonly string[] } | { readonly all: true });

/** Between two pages, with how many are done: rejects where nothing more is to be done. */
export type BetweenPages = (done: number) => Promise<void>;

const readNames = new Set(["limit", "cursor"]);
const redriveNames = new Set(["ids", "limit", "onProgress", "signal"]);
const discardNames = new Set(["ids", "all", "onProgress", "signal"]);
const mostIds = 10_000;
const pageLetters = 100;
const actPage = 500;

/** Throws INVALID_OPTION and INVALID_CURSOR. */
export function checkGroupLetters(options: GroupLettersOptions): { readonly limit: number; readonly cursor: string } {
  checkObject("deadLetters", options, readNames);
  const { limit, cursor } = options;
  if (cursor !== undefined && (typeof cursor !== "string" || !(/^\d{1,19}$/.test(cursor) || isEntryId(cursor)))) {
    throw new KeylineError("INVALID_CURSOR", `${JSON.stringify(cursor)} is no cursor: pass the \`cursor\` of a dead letter`);
  }
  return { limit: limit === undefined ? Infinity : checkInteger("limit", limit, { min: 1 }), cursor: cursor ?? "" };
}

/** Throws INVALID_OPTION and INVALID_ID. */
export function checkGroupRedrive(options: GroupRedriveOptions): MeantLetters {
  checkObject("redrive", options, redriveNames);
  const { ids, limit } = options;
  if (ids !== undefined && limit !== undefined) throw refusal("ids goes with no limit: leave one of them out");
  if ("ids" in options) return { ids: checkIds(ids) };
  return { limit: limit === undefined ? Number.MAX_SAFE_INTEGER : checkInteger("limit", limit, { min: 1 }) };
}

/** Throws INVALID_OPTION and INVALID_ID. */
export function checkGroupDiscard(options: GroupDiscardOptions): MeantLetters {
  checkObject("discard", options, discardNames);
  if ("ids" in options && "all" in options) throw refusal("discard takes ids or all: true, not both");
  if ("ids" in options) return { ids: checkIds(options.ids) };
  if (!("all" in options) || (options.all as unknown) !== true)
    throw refusal("discard needs to know which dead letters are meant: ids, or all: true");
  return { limit: Number.MAX_SAFE_INTEGER };
}

/** Throws INVALID_OPTION, and the reason of a signal that is aborted already. */
export function checkGroupAct({ onProgress, signal }: GroupActOptions): BetweenPages {
  if (onProgress !== undefined && typeof onProgress !== "function") throw refusal("onProgress must be a function");
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw refusal("signal must be an AbortSignal");
  signal?.throwIfAborted();
  return async (done) => {
    await onProgress?.({ done, total: undefined });
    signal?.throwIfAborted();
  };
}

/** Where the dead letters of a group are. */
export interface GroupLetterShelf {
  page(cursor: string, limit: number): Promise<readonly GroupDeadLetter[]>;
  redrive(meant: MeantLetters, between: BetweenPages): Promise<number>;
  discard(meant: MeantLetters, between: BetweenPages): Promise<number>;
}

/** Of a plain stream. */
export class GroupLettersOnValkey implements GroupLetterShelf {
  readonly #log: GroupLetterLog;
  readonly #linePrefix: string;
  #hasAdopted = false;

  constructor(log: GroupLetterLog, linePrefix: string) {
    this.#log = log;
    this.#linePrefix = linePrefix;
  }

  async page(cursor: string, limit: number): Promise<readonly GroupDeadLetter[]> {
    await this.#adopt();
    for (let before = cursor; ;) {
      const found = await this.#log.page(before, limit);
      const letters = found.flatMap(({ place, text }) => readLetter(text, place) ?? []);
      // What is none somebody else has put there.
      if (letters.length > 0 || found.length === 0) return letters;
      before = found.at(-1)?.place ?? "";
    }
  }

  redrive(meant: MeantLetters, between: BetweenPages): Promise<number> {
    return this.#act("redrive", meant, between);
  }

  discard(meant: MeantLetters, between: BetweenPages): Promise<number> {
    return this.#act("discard", meant, between);
  }

  async #act(kind: "redrive" | "discard", meant: MeantLetters, between: BetweenPages): Promise<number> {
    await this.#adopt();
    return this.#log.act(kind, meant, { linePrefix: this.#linePrefix, between });
  }

  async #adopt(): Promise<void> {
    if (!this.#hasAdopted) await this.#log.adopt();
    this.#hasAdopted = true;
  }
}

/** Of a transactional stream: rows of its record. */
export class GroupLettersInRows implements GroupLetterShelf {
  readonly #rows: GroupLetterRows;
  readonly #redriveOldest: (limit: number) => Promise<number>;
  readonly #handOut: () => Promise<void>;

  constructor(
    rows: GroupLetterRows,
    { redriveOldest, handOut }: { readonly redriveOldest: (limit: number) => Promise<number>; readonly handOut: () => Promise<void> },
  ) {
    this.#rows = rows;
    this.#redriveOldest = redriveOldest;
    this.#handOut = handOut;
  }

  async page(cursor: string, limit: number): Promise<readonly GroupDeadLetter[]> {
    return (await this.#rows.page(cursor, limit)).map((letter) => ({ ...letter, data: dataOf(letter.data), cursor: letter.id }));
  }

  async redrive(meant: MeantLetters, between: BetweenPages): Promise<number> {
    const act = { named: (ids: readonly string[]) => this.#rows.redrive(ids), oldest: (limit: number) => this.#redriveOldest(limit) };
    try {
      return await inPages(meant, act, between);
    } finally {
      // Also those in front of where it was stopped.
      await this.#handOut();
    }
  }

  discard(meant: MeantLetters, between: BetweenPages): Promise<number> {
    return inPages(meant, { named: (ids) => this.#rows.discard(ids), oldest: (limit) => this.#rows.discardOldest(limit) }, between);
  }
}

/** Reads letters page by page; undefined at the end. */
export function readLetters(
  shelf: GroupLetterShelf,
  query: { readonly limit: number; readonly cursor: string },
): () => Promise<readonly GroupDeadLetter[] | undefined> {
  let { limit: left, cursor } = query;
  return async () => {
    if (left === 0) return undefined;
    const page = await shelf.page(cursor, Math.min(pageLetters, left));
    left -= page.length;
    cursor = page.at(-1)?.cursor ?? cursor;
    return page.length > 0 ? page : undefined;
  };
}

async function inPages(
  meant: MeantLetters,
  act: { readonly named: (ids: readonly string[]) => Promise<number>; readonly oldest: (limit: number) => Promise<number> },
  between: BetweenPages,
): Promise<number> {
  let count = 0;
  if ("ids" in meant) {
    for (let from = 0; from < meant.ids.length; from += actPage) {
      count += await act.named(meant.ids.slice(from, from + actPage));
      await between(count);
    }
    return count;
  }
  for (let done = actPage; done === actPage && count < meant.limit;) {
    done = await act.oldest(Math.min(actPage, meant.limit - count));
    count += done;
    await between(count);
  }
  return count;
}

function checkIds(ids: readonly string[] | undefined): readonly string[] {
  if (!Array.isArray(ids) || ids.length > mostIds) throw refusal(`ids must be an array of up to ${mostIds} ids of entries`);
  for (const id of ids as readonly unknown[]) {
    if (typeof id !== "string" || !isEntryId(id)) throw new KeylineError("INVALID_ID", `${JSON.stringify(id)} is no id of an entry`);
  }
  return [...new Set(ids as readonly string[])];
}

function checkObject(what: string, options: object, known: ReadonlySet<string>): void {
  if (typeof options !== "object" || options === null) throw refusal(`${what} takes its options as an object`);
  checkOptionNames(what, options, known);
}

function refusal(message: string): KeylineError {
  return new KeylineError("INVALID_OPTION", message);
}
