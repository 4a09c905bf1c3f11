import { useSyncExternalStore } from "react";
import { readToken } from "./session.ts";

/** `wanted`: there is no token yet. `ended`: the one that we had is not taken any more. */
export type Access = "granted" | "wanted" | "ended";

let access: Access = "granted";
const listeners = new Set<() => void>();

/** The server did not take this token. An answer to one that was replaced meanwhile says nothing. */
export function refuseToken(token: string | undefined): void {
  if (token !== readToken()) return;
  // Who was never let in has no token that could have ended.
  if (access !== "wanted") set(token === undefined ? "wanted" : "ended");
}

export function grantAccess(): void {
  set("granted");
}

function set(next: Access): void {
  if (next === access) return;
  access = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useAccess(): Access {
  return useSyncExternalStore(subscribe, () => access);
}
