import type { ValkeyConnection } from "../client/connection.ts";
import { Roster, watchedMs } from "../client/roster.ts";
import { scriptsBeside } from "../client/script.ts";
import type { GroupKeys } from "./keys.ts";

const read = scriptsBeside(import.meta.url)(3, "group-roster");

/** Who consumes for a group. */
export function groupRoster(connection: ValkeyConnection, group: string, keys: GroupKeys): Roster {
  const { consumers, watched, stream, backlog } = keys;
  return new Roster(
    connection,
    { leases: consumers, watched, about: (name) => keys.consumer(name), report: (name) => `${keys.consumer(name)}:running` },
    {
      watch: () => connection.client.set(watched, "1", "PX", watchedMs),
      read: (names) => read.run(connection, [consumers, stream.events, backlog, group, ...names]),
    },
  );
}
