import { KeylineError } from "../../runtime/errors.ts";
import { randomTag } from "../../runtime/ids.ts";
import { inOurWords } from "./failures.ts";
import { isLent, originalOf } from "./lent-client.ts";
import type { TransactionClient } from "./options.ts";
import { mayBeInTransaction } from "./transaction-watch.ts";

const wanted =
  "tx must be a client of pg inside a transaction, or an object whose query(text, values) runs in one and resolves to { rows }";

/** What transactions of well-known libraries look like, and what to give instead of them. */
const foreign: readonly { readonly library: string; readonly has: readonly string[]; readonly give: string }[] = [
  { library: "Drizzle", has: ["session", "dialect"], give: "tx.session.client" },
  {
    library: "Kysely",
    has: ["executeQuery", "isTransaction"],
    give: "{ query: (text, values = []) => trx.executeQuery(CompiledQuery.raw(text, values)) }",
  },
  { library: "Knex", has: ["client", "commit", "rollback"], give: "await trx.client.acquireConnection()" },
  { library: "TypeORM", has: ["queryRunner"], give: "await manager.queryRunner.connect()" },
  { library: "TypeORM", has: ["startTransaction", "connect"], give: "await queryRunner.connect()" },
  {
    library: "postgres.js",
    has: ["unsafe"],
    give: "{ query: async (text, values = []) => ({ rows: await sql.unsafe(text, values) }) }",
  },
  {
    library: "Prisma",
    has: ["$queryRawUnsafe"],
    give: "{ query: async (text, values = []) => ({ rows: await tx.$queryRawUnsafe(text, ...values) }) }",
  },
];

/** Those that were asked, and what came of it. */
const asked = new WeakMap<object, Promise<void>>();

/**
 * Throws INVALID_OPTION or NOT_IN_TRANSACTION where this is not a client inside a transaction: before anything is written through it. What shows
 * nothing of itself is asked, once: then await what is returned.
 */
export function checkTransaction(tx: TransactionClient): Promise<void> | undefined {
  if (!isLent(tx)) checkShape(tx);
  if ("totalCount" in tx || !mayBeInTransaction(tx)) throw notInTransaction();
  if (isClient(originalOf(tx))) return undefined;
  const known = asked.get(tx);
  if (known) return known;
  const answer = ask(tx);
  asked.set(tx, answer);
  answer.catch(() => asked.delete(tx));
  return answer;
}

function checkShape(tx: unknown): asserts tx is object {
  if ((typeof tx === "object" && tx !== null) || typeof tx === "function") {
    const known = foreign.find(({ has }) => has.every((name) => name in tx));
    if (known) throw invalid(`this looks like a transaction of ${known.library}: give ${known.give}`);
    if ("query" in tx && typeof tx.query === "function") return;
  }
  throw invalid(`this has no function query. The guide to queues shows it for Drizzle, Kysely, Knex, TypeORM, postgres.js and Prisma`);
}

function invalid(why: string): KeylineError {
  return new KeylineError("INVALID_OPTION", `${wanted}; ${why}`);
}

function notInTransaction(): KeylineError {
  return new KeylineError(
    "NOT_IN_TRANSACTION",
    "What was given as tx is not a client inside a transaction: send BEGIN on a client of its own first, or use keyline.transaction",
  );
}

/** A client of `pg`, of which it is known what it answers. */
function isClient(client: object): boolean {
  return "connection" in client || "native" in client || "getTransactionStatus" in client;
}

/** Sets what lasts until the transaction ends, and looks whether it is there: two statements of a pool's are two transactions. */
async function ask(tx: TransactionClient): Promise<void> {
  const tag = randomTag(12);
  if ((await read(tx, "SELECT set_config('keyline.tx', $1, true) AS tag", [tag])) !== tag) {
    throw invalid("what its query resolved to has no rows as objects");
  }
  if ((await read(tx, "SELECT current_setting('keyline.tx', true) AS tag", [])) !== tag) throw notInTransaction();
}

async function read(tx: TransactionClient, text: string, values: unknown[]): Promise<unknown> {
  const answer = (await tx.query(text, values)) as { readonly rows?: readonly { readonly tag?: unknown }[] } | undefined;
  return answer?.rows?.[0]?.tag;
}

/** The rows of a statement of Keyline's within the caller's transaction. Errors are told in Keyline's words. */
export async function queryWithin(tx: TransactionClient, text: string, values: unknown[]): Promise<unknown[]> {
  try {
    return (await tx.query(text, values)).rows;
  } catch (error) {
    throw inOurWords(error);
  }
}
