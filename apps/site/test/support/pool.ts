import pg from "pg";

/** Connections to the database of that name on the server, for a test to look with. */
export function openPool(serverUrl: string, name: string): pg.Pool {
  const database = new URL(serverUrl);
  database.pathname = `/${name}`;
  return new pg.Pool({ connectionString: database.href, max: 2 });
}

/** How many rows there are of what can stand behind FROM. */
export async function countRows(pool: pg.Pool, from: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${from}`);
  return rows[0]?.count ?? Number.NaN;
}
