import { useSyncExternalStore } from "react";

/** How times are shown: how long ago, or by which clock. Whoever chose keeps it in this browser. */
export type TimeChoice = "relative" | "local" | "utc";

const storageKey = "keyline-console-times";
const choices: readonly string[] = ["relative", "local", "utc"] satisfies TimeChoice[];
const listeners = new Set<() => void>();

function readTimeChoice(): TimeChoice {
  const stored = localStorage.getItem(storageKey) ?? "";
  return choices.includes(stored) ? (stored as TimeChoice) : "relative";
}

export function chooseTimes(choice: TimeChoice): void {
  localStorage.setItem(storageKey, choice);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTimeChoice(): TimeChoice {
  return useSyncExternalStore(subscribe, readTimeChoice);
}

/** The zone that absolute times are in: the reader's own where it is undefined. */
export function zoneOf(choice: TimeChoice): string | undefined {
  return choice === "utc" ? "UTC" : undefined;
}

export const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
