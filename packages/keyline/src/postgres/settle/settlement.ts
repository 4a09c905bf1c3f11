import { Writable } from "node:stream";
import type { PoolClient } from "pg";
import { toError } from "../../runtime/errors.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import { commit, rollBack } from "../client/commit.ts";
import type { Database } from "../client/database.ts";
import { isAnswerLost, isConflict, isOutage, isReadOnly, isUnreachable } from "../client/failures.ts";
import { lend } from "../client/lent-client.ts";
import { StatementForgotten } from "../client/statement.ts";
import { begin } from "../client/transaction-watch.ts";
import type { SettleStatement } from "./settle-statement.ts";

/** What is to be settled, as its worker or consumer holds it. */
export interface HeldRow {
  readonly id: string;
  /** Failed attempts as the worker knows them: a row with more was given to somebody else since. */
  readonly attempts: number;
  /** It was delivered before, and may be settled. */
  readonly isAgain?: boolean;
  /** Of a job: in which period its attempt has asked the row for its data; undefined where that has the data of its element. */
  readonly period?: number | undefined;
}

/** What a settle commits together with the end of its rows; `owed` holds the ids of those that were not settled before. */
type Effects = (tx: PoolClient, owed: ReadonlySet<string>) => Promise<unknown>;

/** Jobs, or events of a group, that are to end together with their effects. */
export interface Settlement<Row extends HeldRow = HeldRow> {
  readonly rows: readonly Row[];
  readonly effects: Effects;
  /** Aborted when nobody waits for the effects any more. */
  readonly signal: AbortSignal | undefined;
  /** What `effects` sends, where that is known beforehand. */
  readonly statements?: readonly SettleStatement[] | undefined;
}

/** What a claim came to: the ids that were not settled before, and the transaction's id if there were any. */
export interface Claim {
  readonly owed: ReadonlySet<string>;
  readonly xid: string | undefined;
}

/** Of settles that were done once more, because a transaction stood in their way. */
export interface ConflictCounts {
  settleConflicts: number;
}

/** How a shape claims what is to be settled: jobs by their rows, events by their positions. */
export interface Claims<Row extends HeldRow = HeldRow> {
  readonly database: Database;
  readonly counts: ConflictCounts;
  /**
   * Ends them within the transaction that is open on `client`. Of all committed transactions only one claims each of them; one that
   * comes meanwhile waits for this one's end.
   */
  claim(client: PoolClient, held: readonly Row[]): Promise<Claim>;
  /** For a transaction that is sent as a whole; where it is left out none is. */
  readonly whole?: WholeClaims<Row>;
  /** Several can be claimed before the effects of the first are written. */
  readonly isEarly?: boolean;
  /** Writes, right before the COMMIT of the transaction `xid` that claimed them, what is to be kept of rows whose effects were written. */
  keep?(client: PoolClient, rows: readonly Row[], xid: string | undefined): Promise<void>;
}

export interface WholeClaims<Row extends HeldRow> {
  /** Ends all of them, or fails. Returns the transaction's id. */
  claim(client: PoolClient, held: readonly Row[]): Promise<string | undefined>;
  /** Those of them that are gone as a transaction would leave them that had ended them. */
  findEnded(ids: readonly string[]): Promise<ReadonlySet<string>>;
}

/** What became of the effects. */
export interface Written extends Claim {
  /** Effects were written for what had been settled: they must not be committed. */
  readonly isVoid: boolean;
}

/** A transaction that came to nothing. */
interface Failed {
  readonly error: Error;
  /** There was no connection, or it broke. */
  readonly isBroken: boolean;
}

const conflictTries = 10;
const brokenTries = 5;

/**
 * Ends rows for good, together with their effects, in one transaction. Returns the ids that this call settled: the row of a job
 * is deleted by exactly one committed transaction, and only that one carries the job's effects; so it is with the events of a stream.
 *
 * A transaction that failed because PostgreSQL went away, and one that stood in another one's way, are answered alike: by the
 * whole of it once more. Should it have been committed after all, the rows are gone, and the effects are left out. What breaks off again and
 * again although PostgreSQL answers in between is no outage: then the error counts.
 */
export async function settleRows<Row extends HeldRow>(
  claims: Claims<Row>,
  settlement: Settlement<Row>,
  { mayGuess }: { readonly mayGuess: boolean },
): Promise<ReadonlySet<string>> {
  const { signal } = settlement;
  const { database } = claims;
  for (let conflicts = 0, breaks = 0, guesses = mayGuess; ; guesses = false) {
    if (!database.isAvailable) await database.whenAvailable(signal);
    const tried = await settleOnce(claims, settlement, { mayGuess: guesses });
    if (!("error" in tried)) {
      if (!tried.isVoid || tried.owed.size === 0) return tried.owed;
      continue;
    }
    const { error, isBroken } = tried;
    if (signal?.aborted || database.isClosing) throw error;
    if (isConflict(error)) {
      claims.counts.settleConflicts++;
      if (++conflicts === conflictTries) throw error;
      await delay(retryDelay(conflicts, { first: 5, max: 200 }), signal);
    } else if (error instanceof StatementForgotten || (isOutage(error) && (isBroken || isReadOnly(error)))) {
      // Where nothing was sent nothing can have broken it off but the server.
      if (!isUnreachable(error) && ++breaks === brokenTries) throw error;
      await database.whenAvailable(signal);
      if (breaks > 1) await delay(retryDelay(breaks, { first: 50, max: 2_000 }), signal);
    } else {
      throw error;
    }
    if (signal?.aborted) throw error;
  }
}

async function settleOnce<Row extends HeldRow>(
  claims: Claims<Row>,
  settlement: Settlement<Row>,
  { mayGuess }: { readonly mayGuess: boolean },
): Promise<Written | Failed> {
  const { database } = claims;
  let client: PoolClient;
  try {
    client = await database.connect();
  } catch (error) {
    return { error: toError(error), isBroken: true };
  }
  let isClean = false;
  try {
    const written = await writeWithin(claims, client, settlement, { begins: true, mayGuess });
    if (!written.isVoid) isClean = await keepAndCommit(claims, client, { ...written, rows: settlement.rows });
    else isClean = !settlement.signal?.aborted && (await rollBack(client));
    return written;
  } catch (error) {
    isClean = !settlement.signal?.aborted && (await rollBack(client));
    // On a connection that lives the error is the effects' own, whatever it looks like.
    return { error: isClean ? toError(error) : database.explain(error, client), isBroken: !isClean };
  } finally {
    database.release(client, isClean);
  }
}

/**
 * Claims the rows and has the effects of those written that were not settled before, within the transaction that is open on `client` or
 * that this `begins`. Where it `mayGuess` that all can be claimed, as they nearly always can, the claim and the first statement
 * of the effects travel together on a pipelining connection.
 */
export async function writeWithin<Row extends HeldRow>(
  claims: Claims<Row>,
  client: PoolClient,
  { rows, effects, signal }: Settlement<Row>,
  { begins, mayGuess }: { readonly begins: boolean; readonly mayGuess: boolean },
): Promise<Written> {
  const write = (owed: ReadonlySet<string>): Promise<unknown> => writeOwed(client, { effects, signal }, owed);
  const claim = (): Promise<[unknown, Claim]> => Promise.all([begins && begin(client), claims.claim(client, rows)]);
  if (!mayGuess || !isPipelining(client) || !rows.every(isFirst)) {
    const [, claimed] = await inOnePacket(client, claim);
    if (claimed.owed.size > 0) await write(claimed.owed);
    return { ...claimed, isVoid: false };
  }
  const all = new Set(rows.map(({ id }) => id));
  const [claiming, written] = await inOnePacket(client, () => Promise.allSettled([claim(), write(all)]));
  if (claiming.status === "rejected") throw toError(claiming.reason);
  const [, claimed] = claiming.value;
  const isVoid = claimed.owed.size < all.size;
  if (written.status === "rejected" && !isVoid) throw toError(written.reason);
  return { ...claimed, isVoid };
}

/** Has the effects written of rows that are claimed. */
export async function writeOwed(
  client: PoolClient,
  { effects, signal }: Pick<Settlement, "effects" | "signal">,
  owed: ReadonlySet<string>,
): Promise<void> {
  await lend(client, (tx) => unlessAborted(effects(tx, owed), signal));
}

/** Commits, and before that keeps what is to be kept of those of the rows that are owed. Answers and throws as `commit` does. */
export async function keepAndCommit<Row extends HeldRow>(
  claims: Claims<Row>,
  client: PoolClient,
  { rows, owed, xid }: Claim & { readonly rows: readonly Row[] },
): Promise<boolean> {
  const { database } = claims;
  const kept = rows.filter(({ id }) => owed.has(id));
  if (!claims.keep || kept.length === 0) return commit(database, client, xid);
  // In one packet: a COMMIT behind a statement that has failed rolls back.
  const [keeping, ending] = await inOnePacket(client, () =>
    Promise.allSettled([claims.keep?.(client, kept, xid), commit(database, client, xid)]),
  );
  if (ending.status === "fulfilled") return ending.value;
  const refusal = keeping.status === "rejected" && database.explain(keeping.reason, client);
  throw toError(refusal && !isAnswerLost(refusal) ? refusal : ending.reason);
}

// One that was delivered or has failed before is the likeliest to be settled by now.
export function isFirst({ attempts, isAgain }: HeldRow): boolean {
  return attempts === 0 && isAgain !== true;
}

/** Whether what is sent on it goes out before what was sent earlier is answered. */
export function isPipelining(client: PoolClient): boolean {
  return "pipeline" in client && client.pipeline;
}

/** Waits for `work` until `signal` is aborted, then throws its reason: effects that hang must not hold their connection for ever. */
function unlessAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(toError(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** What `work` sends before it first waits leaves in one packet, where the connection shows its stream: one write, and the server wakes once. */
export function inOnePacket<Result>(client: PoolClient, work: () => Result): Result {
  const stream = streamOf(client);
  stream?.cork();
  try {
    return work();
  } finally {
    stream?.uncork();
  }
}

function streamOf(client: PoolClient): Writable | undefined {
  const connection = "connection" in client ? (client.connection as { readonly stream?: unknown } | undefined) : undefined;
  return connection?.stream instanceof Writable ? connection.stream : undefined;
}
