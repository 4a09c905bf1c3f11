import { KeylineError, toError } from "../../runtime/errors.ts";

/** Names and texts by which the client library says that an answer did not come. */
const lost = /MaxRetriesPerRequestError|ClusterAllFailedError/;
const lostTexts = /^Connection is closed|enableOfflineQueue options is false$|^Socket closed|^Command timed out|ECONNRESET|EPIPE/;
const passing = /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|BUSY|FAILOVER)\b/;

/** What was read, or why it could not be, in Keyline's words: where no answer came VALKEY_UNAVAILABLE, as a read changes nothing and can be made again. Nothing that changes something may come through here. */
export async function asRead<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (thrown) {
    const error = toError(thrown);
    if (error instanceof KeylineError) throw error;
    const isLost = error.name === "ReplyError" ? passing.test(error.message) : lost.test(error.name) || lostTexts.test(error.message);
    if (!isLost) throw error;
    throw new KeylineError(
      "VALKEY_UNAVAILABLE",
      `Valkey did not answer (${error.message}): check that it runs; nothing was changed, and it can be asked again`,
      {
        cause: error,
      },
    );
  }
}
