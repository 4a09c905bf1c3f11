import { KeylineError, toError } from "../../runtime/errors.ts";

/** Names and texts by which the client library says that an answer did not come. */
const lost = /MaxRetriesPerRequestError|ClusterAllFailedError/;
const lostTexts = /^Connection is closed|^Socket closed|^Command timed out|ECONNRESET|EPIPE/;
/** It was not sent. */
const unsent = /enableOfflineQueue options is false$/;
const passing = /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|BUSY|FAILOVER)\b/;

/** What an error of the client library says of a command: its answer got lost, or the server did not take it; undefined where it says something else. */
export function lossOf(error: Error): "lost" | "refused" | undefined {
  if (error.name === "ReplyError") return passing.test(error.message) ? "refused" : undefined;
  if (unsent.test(error.message)) return "refused";
  return lost.test(error.name) || lostTexts.test(error.message) ? "lost" : undefined;
}

/** What was read, or why it could not be, in Keyline's words: where no answer came VALKEY_UNAVAILABLE, as a read changes nothing and can be made again. Nothing that changes something may come through here. */
export async function asRead<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (thrown) {
    const error = toError(thrown);
    if (error instanceof KeylineError) throw error;
    if (!lossOf(error)) throw error;
    throw new KeylineError(
      "VALKEY_UNAVAILABLE",
      `Valkey did not answer (${error.message}): check that it runs; nothing was changed, and it can be asked again`,
      {
        cause: error,
      },
    );
  }
}
