import { hostname, userInfo } from "node:os";
import type { Session } from "../connection/session.ts";

/** What is about to be done. */
export interface Act {
  readonly action: string;
  /** Such as `queue:emails`. */
  readonly target: string;
  readonly details?: object;
}

interface Counted<Result> {
  /** Without it one was done. */
  countOf?(result: Result): number;
  /** How many were done of what fails or is stopped. */
  reached?(): number;
}

/** Writes the act to the audit trail before it begins, and its end when it has ended: no audit, no act. */
export async function audited<Result>(
  session: Session,
  act: Act,
  work: () => Promise<Result>,
  { countOf, reached }: Counted<Result> = {},
): Promise<Result> {
  const { audit } = await session.keyline();
  const id = await audit.add({ who: whoActs(), ...act });
  try {
    const result = await work();
    await audit.finish(id, { count: countOf?.(result) ?? 1 });
    return result;
  } catch (error) {
    // The reason is told to whoever typed the command, whether it could be written down or not.
    const end = { error: error instanceof Error ? error.message : String(error), ...(reached && { count: reached() }) };
    await audit.finish(id, end).catch(() => undefined);
    throw error;
  }
}

/** The user of the system and the machine. */
function whoActs(): string {
  // Only what such a name may have in the trail.
  return `${userName()}@${hostname()}`.replaceAll(/[^\w@.+ -]/g, "_").slice(0, 200);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container the user may have no name.
    return process.env["USER"] ?? `uid-${process.getuid?.() ?? "unknown"}`;
  }
}
