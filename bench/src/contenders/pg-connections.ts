import pg from "pg";

/** A pool of `max` connections for a contender that does not make one of its own. */
export function connectPostgres(postgres: string, max: number): pg.Pool {
  // `end()` resolves before its connections have hung up, and one that is cut off meanwhile, as when its database is dropped, would end the process.
  return new pg.Pool({ connectionString: postgres, max }).on("error", () => undefined);
}
