/**
 * Calls a listener of the user's. What it throws becomes an uncaught error, as with any event listener: it must neither be
 * swallowed nor end the reading of frames that others wait for.
 */
export function call<Value>(listener: (value: Value) => void, value: Value): void {
  try {
    listener(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
