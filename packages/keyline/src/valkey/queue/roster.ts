import type { ValkeyConnection } from "../client/connection.ts";
import { Roster, watchedMs } from "../client/roster.ts";
import { scriptsBeside } from "../client/script.ts";
import type { QueueKeys } from "./keys.ts";

const script = scriptsBeside(import.meta.url);
const watch = script(1, "oom", "base", "place", "roster-watch");
const read = script(1, "oom", "base", "roster-read");

/** Who works on a queue. */
export function queueRoster(connection: ValkeyConnection, keys: QueueKeys): Roster {
  const { workers, watched } = keys;
  return new Roster(
    connection,
    { leases: workers, watched, about: (name) => keys.worker(name), report: (name) => `${keys.worker(name)}:jobs` },
    {
      watch: () => watch.run(connection, [workers, watchedMs]),
      read: (names) => read.run(connection, [workers, ...names]),
    },
  );
}
