import pg from "pg";

/** The URL of the database of that name on the server, which is created there if it is missing. */
export async function openDatabase(serverUrl: string, name: string): Promise<string> {
  const server = new URL(serverUrl);
  // Without a database in the URL, pg would look for one named after the user.
  if (server.pathname === "" || server.pathname === "/") server.pathname = "/postgres";
  const client = new pg.Client({ connectionString: server.href, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1", [name]);
    if (rowCount === 0) await create(client, name);
  } finally {
    await client.end();
  }
  const database = new URL(serverUrl);
  database.pathname = `/${encodeURIComponent(name)}`;
  return database.href;
}

async function create(client: pg.Client, name: string): Promise<void> {
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } catch (error) {
    // Another process was faster; which of the two errors that gives depends on how much.
    if (!(error instanceof pg.DatabaseError && (error.code === "42P04" || error.code === "23505"))) throw error;
  }
}
