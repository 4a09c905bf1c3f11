import { useSyncExternalStore } from "react";

const storageKey = "keyline-console-token";
const listeners = new Set<() => void>();

/** Kept for this tab alone: whoever opens another one says again who they are. */
export function readToken(): string | undefined {
  return sessionStorage.getItem(storageKey) ?? undefined;
}

export function writeToken(token: string | undefined): void {
  if (token === undefined) sessionStorage.removeItem(storageKey);
  else sessionStorage.setItem(storageKey, token);
  for (const listener of listeners) listener();
}

/** A link may bring the token along, in the fragment, which browsers send to no server. */
export function takeTokenFromFragment(): boolean {
  const token = new URLSearchParams(location.hash.slice(1).replace(/^\/?\?/, "")).get("token");
  if (token === null) return false;
  writeToken(token);
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useToken(): string | undefined {
  return useSyncExternalStore(subscribe, readToken);
}
