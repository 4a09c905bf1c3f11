import type { PoolClient } from "pg";
import { rollBack } from "../client/commit.ts";
import { begin } from "../client/transaction-watch.ts";
import {
  inOnePacket,
  keepAndCommit,
  writeOwed,
  writeWithin,
  type Claim,
  type Claims,
  type HeldRow,
  type Settlement,
  type Written,
} from "./settlement.ts";

/** Settles that share a transaction, and the ids that each of them ended: empty until its effects are written. */
type Begun<Row extends HeldRow> = Map<Settlement<Row>, ReadonlySet<string>>;

/**
 * Takes settles from the group, one after the other, and commits what it got; `written` is called before the COMMIT. When anything fails nothing is
 * committed: `begun` says which it had taken.
 */
export async function settleInTurn<Row extends HeldRow>(
  claims: Claims<Row>,
  group: Settlement<Row>[],
  { begun, written }: { readonly begun: Begun<Row>; readonly written: () => void },
): Promise<void> {
  const { database } = claims;
  if (!database.isAvailable) throw new Error("nobody writes while PostgreSQL is away");
  if (claims.isEarly && haveCopies(group))
    throw new Error("two of them are of one job: each is to hear for itself whether it is owed its effects");
  const client = await database.connect();
  let isClean = false;
  let isAborted = false;
  try {
    const early = claims.isEarly && (await claimAll(claims, client, group));
    let xid: string | undefined;
    for (let one = group.shift(); one; one = group.shift()) {
      const begins = begun.size === 0;
      begun.set(one, new Set());
      try {
        const made = await (early ? writeEarly(client, one, early) : writeWithin(claims, client, one, { begins, mayGuess: true }));
        if (made.isVoid) throw new Error("effects were written for jobs that are settled");
        xid ??= made.xid;
        begun.set(one, made.owed);
      } finally {
        isAborted = one.signal?.aborted ?? false;
      }
      if (client.getTransactionStatus?.() !== "T") throw new Error("the transaction is not open any more");
    }
    written();
    // What was claimed early has begun the transaction, also where all of the group had to wait again meanwhile.
    isClean = (begun.size === 0 && !early) || (await keepAndCommit(claims, client, endOf(begun, xid)));
  } catch (error) {
    isClean = !isAborted && (await rollBack(client));
    throw isClean ? error : database.explain(error, client);
  } finally {
    database.release(client, isClean);
  }
}

/** Whether a job has two elements here, of which maybe only one counts. */
function haveCopies(group: readonly Settlement[]): boolean {
  const ids = group.flatMap(({ rows }) => rows.map(({ id }) => id));
  return new Set(ids).size < ids.length;
}

/** Begins the transaction, and claims what all of the group end. */
async function claimAll<Row extends HeldRow>(claims: Claims<Row>, client: PoolClient, group: readonly Settlement<Row>[]): Promise<Claim> {
  const rows = group.flatMap((one) => one.rows);
  const [, claimed] = await inOnePacket(client, () => Promise.all([begin(client), claims.claim(client, rows)]));
  return claimed;
}

async function writeEarly<Row extends HeldRow>(client: PoolClient, one: Settlement<Row>, { owed, xid }: Claim): Promise<Written> {
  const ours = new Set(one.rows.flatMap(({ id }) => (owed.has(id) ? [id] : [])));
  if (ours.size > 0) await writeOwed(client, one, ours);
  return { owed: ours, xid, isVoid: false };
}

function endOf<Row extends HeldRow>(begun: Begun<Row>, xid: string | undefined): Claim & { readonly rows: readonly Row[] } {
  return { rows: [...begun.keys()].flatMap(({ rows }) => rows), owed: new Set([...begun.values()].flatMap((owed) => [...owed])), xid };
}
