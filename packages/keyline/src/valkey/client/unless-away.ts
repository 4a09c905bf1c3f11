import { clearTimeout, performance, setImmediate, setTimeout } from "../../runtime/clock.ts";
import { KeylineError } from "../../runtime/errors.ts";
import { isConnectionError, type ValkeyConnection } from "./connection.ts";

const awayAfterMs = 1_000;
/** One that hangs is found out by its connection after five seconds: nobody waits that long for what PostgreSQL can tell too. */
const silentAfterMs = 1_500;
/** So long others do not wait for it again; its connection knows by then. */
const silentMs = 4_000;

const silentUntil = new WeakMap<ValkeyConnection, number>();
const late = Symbol("late");

/** What Valkey says; undefined while it is away, or hangs. For who has an answer of PostgreSQL's too, and so does not wait for long. Only for what reads: nobody waits for the end of what was asked late. */
export async function unlessAway<Answer>(connection: ValkeyConnection, ask: () => Promise<Answer>): Promise<Answer | undefined> {
  if (performance.now() < (silentUntil.get(connection) ?? 0)) return undefined;
  try {
    await connection.ensureReadySoon(awayAfterMs);
    const answer = await inTime(ask());
    if (answer !== late) return answer;
    silentUntil.set(connection, performance.now() + silentMs);
    return undefined;
  } catch (error) {
    if (!isAway(error)) throw error;
    return undefined;
  }
}

async function inTime<Answer>(answer: Promise<Answer>): Promise<Answer | typeof late> {
  // It may fail when nobody waits for it any more.
  answer.catch(() => undefined);
  const { promise, resolve } = Promise.withResolvers<typeof late>();
  // A process that has computed for as long reads first what has come.
  const timer = setTimeout(() => setImmediate(resolve, late), silentAfterMs);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Or refuses whoever asks: what PostgreSQL knows is an answer all the same. */
function isAway(error: unknown): boolean {
  return error instanceof KeylineError ? !error.code.startsWith("POSTGRES") && error.code !== "CLOSED" : isConnectionError(error);
}
