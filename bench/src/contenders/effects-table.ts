import pg from "pg";

// No unique constraint, so that an effect that happens twice is seen and not swallowed.
const createTable = "CREATE TABLE effects (seq integer NOT NULL, at timestamptz NOT NULL DEFAULT now())";
const countRows = "SELECT count(*)::integer AS total, count(DISTINCT seq)::integer AS distinct FROM effects";

/** The same statements for every contender: what differs is what their libraries do around them. */
export const insertEffect = "INSERT INTO effects (seq) VALUES ($1)";
export const insertEffects = "INSERT INTO effects (seq) SELECT unnest($1::integer[])";

export interface EffectCount {
  readonly total: number;
  readonly distinct: number;
}

/** The handlers' writes as the bench sees them: over a connection of its own, so only what is committed. */
export class EffectsTable {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async create(url: string): Promise<EffectsTable> {
    const client = new pg.Client(url);
    await client.connect();
    await client.query(createTable);
    return new EffectsTable(client);
  }

  async count(): Promise<EffectCount> {
    const { rows } = await this.#client.query<EffectCount>(countRows);
    return rows[0] ?? { total: 0, distinct: 0 };
  }

  /** Has the server write out what adding the jobs left dirty, so that nobody pays for it while the clock runs. */
  async flushServer(): Promise<void> {
    await this.#client.query("CHECKPOINT");
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
