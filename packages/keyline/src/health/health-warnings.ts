import { postgresNotes, postgresWarnings, type PostgresSeen } from "./postgres-warnings.ts";
import { valkeyNotes, valkeyWarnings, type ValkeySeen } from "./valkey-warnings.ts";
import type { HealthNote, HealthWarning } from "./warning.ts";

/** What endangers data or speed; of each store what endangers data comes first. */
export function warningsOf(valkey: ValkeySeen, postgres: PostgresSeen): HealthWarning[] {
  return [...valkeyWarnings(valkey), ...postgresWarnings(postgres)];
}

/** What endangers nothing: nobody has to be woken for it, and no deployment has to wait. */
export function notesOf(valkey: ValkeySeen, postgres: PostgresSeen): HealthNote[] {
  return [...valkeyNotes(valkey), ...postgresNotes(postgres)];
}
