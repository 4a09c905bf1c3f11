import type { PoolClient } from "pg";
import { KeylineError } from "../../runtime/errors.ts";
import { timed } from "./statement.ts";

/** Major version of the oldest server that has all that Keyline uses: functions with a body of standard SQL came with it. */
export const oldestPostgres = 14;

const readVersion = {
  text: "SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS name",
};

/** Asks a server which version it is, before anything else is sent. Throws SERVER_TOO_OLD for one that lacks what Keyline uses. */
export async function checkServer(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ number: number; name: string }>(timed(readVersion));
  const [version] = rows;
  if (!version || version.number >= oldestPostgres * 10_000) return;
  throw new KeylineError(
    "SERVER_TOO_OLD",
    `PostgreSQL cannot be used as it is, so nothing was sent or done (it is PostgreSQL ${version.name}): run PostgreSQL ${oldestPostgres} or newer`,
  );
}
