import { KeylineError } from "../runtime/errors.ts";
import { isConnectionError, type ValkeyConnection } from "../valkey/client/connection.ts";

const awayAfterMs = 1_000;

/** What Valkey says; undefined while it is away. For who has an answer of PostgreSQL's too, and so does not wait for long. */
export async function unlessAway<Answer>(connection: ValkeyConnection, ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    await connection.ensureReady(connection.leftOf(awayAfterMs));
    return await ask();
  } catch (error) {
    if (!isAway(error)) throw error;
    return undefined;
  }
}

/** Or refuses whoever asks: what PostgreSQL knows is an answer all the same. */
function isAway(error: unknown): boolean {
  return error instanceof KeylineError ? !error.code.startsWith("POSTGRES") && error.code !== "CLOSED" : isConnectionError(error);
}
