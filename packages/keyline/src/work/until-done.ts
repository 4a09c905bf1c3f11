import { toError } from "../runtime/errors.ts";
import { delay } from "../runtime/waiting.ts";

const pauseMs = 1_000;

/**
 * Tries until it works: an end that could not be written down must not be forgotten. Undefined when `signal` was aborted before. Each
 * failure goes to `onError`.
 */
export async function untilDone<Result>(
  work: () => Promise<Result>,
  { signal, onError }: { readonly signal: AbortSignal; readonly onError: (error: Error) => void },
): Promise<Result | undefined> {
  while (!signal.aborted) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) break;
      onError(toError(error));
      await delay(pauseMs, signal);
    }
  }
  return undefined;
}
