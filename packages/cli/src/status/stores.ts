import type { Health } from "keyline";
import type { Addresses } from "../connection/addresses.ts";
import { asking, type Ask } from "../connection/known.ts";
import type { Session } from "../connection/session.ts";
import type { Context } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import type { Output } from "../output/output.ts";

/** How a store is. */
export interface StoreState {
  readonly store: "valkey" | "postgres";
  readonly state: "ok" | "away";
  readonly version: string | undefined;
  readonly roundTripMs: number | undefined;
  readonly error: string | undefined;
}

/** Those that are used here. */
export function storesOf({ valkey, postgres }: Pick<Health, "valkey" | "postgres">): StoreState[] {
  return [
    { store: "valkey", ...stateOf(valkey) },
    ...(postgres.state === "unused" ? [] : [{ store: "postgres" as const, ...stateOf({ ...postgres, state: postgres.state }) }]),
  ];
}

// Longer than one store answers for the other.
const patienceMs = 2_000;

/** How the rest is asked for: whoever knows that a store is away does not wait for it again and again. */
export function askingAll(stores: readonly StoreState[]): Ask {
  return asking(stores.some(({ state }) => state === "away") ? patienceMs : undefined);
}

/** A store in a few words; of one that is away also which one was asked. */
export function storeText({ store, state, version, roundTripMs, error }: StoreState, addresses: Addresses): string {
  const name = store === "valkey" ? "Valkey" : "PostgreSQL";
  if (state === "ok") return `${name} ${version ?? ""} ${(roundTripMs ?? 0).toFixed(1)} ms`;
  return `${(store === "valkey" ? addresses.valkeyName : addresses.postgresName) ?? name} is away: ${error ?? "it does not answer"}`;
}

/** The same behind what PostgreSQL may have said alone: 1 where Valkey is away, as that knows more. */
export async function tellIfFromRows({ output, session }: Context): Promise<ExitCode> {
  const [valkey] = storesOf(await (await session.keyline()).health());
  return valkey && tellAway(output, [valkey], session.addresses) ? exitCodes.failed : exitCodes.done;
}

const mostNamed = 3;

/** What is left out of a list as nobody has said where PostgreSQL is, in one line; undefined where nothing is. */
export function leftOut(
  session: Session,
  entries: readonly { readonly name: string; readonly transactional: boolean }[],
): string | undefined {
  const names = session.hasPostgres ? [] : entries.flatMap(({ name, transactional }) => (transactional ? [name] : []));
  if (names.length === 0) return undefined;
  const named = names.length > mostNamed ? [...names.slice(0, mostNamed - 1), `${names.length - mostNamed + 1} more`] : names;
  return `What only PostgreSQL knows of ${listed(named)}, such as dead letters, is left out: set DATABASE_URL, or say --postgres URL.`;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Says beside the output which stores are away. Returns whether any is. */
export function tellAway(output: Output, stores: readonly StoreState[], addresses: Addresses): boolean {
  const away = stores.filter(({ state }) => state === "away");
  for (const store of away) output.note(storeText(store, addresses));
  return away.length > 0;
}

function stateOf({ state, version, roundTripMs, error }: Omit<StoreState, "store">): Omit<StoreState, "store"> {
  return { state, version, roundTripMs, error };
}
