import pg from "pg";

/** Connections to the database of that name on the server, for a test to look with. */
export function openPool(serverUrl: string, name: string): pg.Pool {
  const database = new URL(serverUrl);
  database.pathname = `/${name}`;
  return new pg.Pool({ connectionString: database.href, max: 2 });
}
