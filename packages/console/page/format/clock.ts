import { useCallback, useSyncExternalStore } from "react";
import { serverNow } from "../server/server-clock.ts";

const tickMs = 1_000;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    if (!document.hidden) for (const each of listeners) each();
  }, tickMs);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** What is made of the time, once a second; whoever uses it is drawn again only when that is something else. */
export function useOfNow<Value extends string | number | boolean>(of: (now: number) => Value): Value {
  const read = useCallback(() => of(serverNow()), [of]);
  return useSyncExternalStore(subscribe, read);
}
