import pg from "pg";

/** How many rows of that table there are, by a connection that nobody else uses. */
export async function countRows(postgres: string, table: string): Promise<number> {
  const client = new pg.Client(postgres);
  await client.connect();
  const { rows } = await client.query<{ rows: number }>(`SELECT count(*)::integer AS rows FROM ${table}`);
  await client.end();
  return rows[0]?.rows ?? Number.NaN;
}
