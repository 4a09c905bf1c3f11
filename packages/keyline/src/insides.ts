import type { Database } from "./postgres/client/database.ts";
import type { Queues } from "./queue/queues.ts";
import type { Streams } from "./stream/streams.ts";
import type { ValkeyConnection } from "./valkey/client/connection.ts";

/** What a Keyline consists of, as rehearsals need it. */
export interface Insides {
  readonly queues: Queues;
  readonly streams: Streams;
  readonly commands: ValkeyConnection;
  readonly database: Database | undefined;
}

const known = new WeakMap<object, Insides>();

export function keepInsides(keyline: object, insides: Insides): void {
  known.set(keyline, insides);
}

/** Of a Keyline that is rehearsed. */
export function insidesOf(keyline: object): Insides {
  const insides = known.get(keyline);
  if (!insides) throw new Error("This Keyline is not rehearsed");
  return insides;
}
