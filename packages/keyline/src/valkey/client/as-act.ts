import { KeylineError, toError } from "../../runtime/errors.ts";
import { lossOf } from "./as-read.ts";

/**
 * What an act came to, or why it did not, in Keyline's words. Acts take several steps: where an answer got lost some of it may be done, which is OUTCOME_UNKNOWN. Only what may be done once more may come
 * through here: an act of which a second call does no harm. What callers throw themselves, as in `onProgress`, goes on as it is.
 */
export async function asAct<Answer>(answer: Promise<Answer>, what: string): Promise<Answer> {
  try {
    return await answer;
  } catch (thrown) {
    const error = toError(thrown);
    const loss = error instanceof KeylineError ? undefined : lossOf(error);
    if (!loss) throw thrown;
    if (loss === "refused") {
      const message = `Valkey could not go on with it now (${error.message}): what was done of ${what} stays done, and the same call can be made again`;
      throw new KeylineError("VALKEY_UNAVAILABLE", message, { cause: error });
    }
    const message = `The connection to Valkey broke during ${what} (${error.message}): it is done, or some of it, or nothing. The same call can be made again: what is done is not done twice`;
    throw new KeylineError("OUTCOME_UNKNOWN", message, { cause: error });
  }
}
