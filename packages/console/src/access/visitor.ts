import type { Role } from "../api/me.ts";

/** Whoever asks. */
export interface Visitor {
  readonly who: string;
  readonly role: Role;
  /** When the token ends, in milliseconds since 1970; undefined without one. */
  readonly expiresAt: number | undefined;
}
