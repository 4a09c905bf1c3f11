import pg from "pg";
import { inChunks } from "./in-flight.ts";
import type { Payload } from "./payload.ts";

const createJobs = "CREATE TABLE bare_job (id integer PRIMARY KEY, data json NOT NULL)";
const addJobs = "INSERT INTO bare_job SELECT id, data::json FROM unnest($1::integer[], $2::text[]) AS new (id, data)";
const endWithEffects = {
  name: "bare-end",
  text: "WITH ended AS (DELETE FROM bare_job WHERE id = ANY ($1::integer[]) RETURNING id) INSERT INTO effects (seq) SELECT id FROM ended",
};

export const batchSize = 100;
export const lanes = 4;

/** Jobs as rows of a table without any index but its key, by statements written out by hand. */
export class BareRows {
  /** One for each lane. */
  readonly clients: readonly pg.Client[];
  readonly #first: pg.Client;

  private constructor(first: pg.Client, others: readonly pg.Client[]) {
    this.#first = first;
    this.clients = [first, ...others];
  }

  static async open(url: string): Promise<BareRows> {
    const [first, ...others] = [new pg.Client(url), ...Array.from({ length: lanes - 1 }, () => new pg.Client(url))];
    await Promise.all([first, ...others].map((client) => client.connect()));
    await first.query(createJobs);
    return new BareRows(first, others);
  }

  async addAll(jobs: number, payload: (seq: number) => Payload): Promise<void> {
    await inChunks({ from: 0, to: jobs }, 1_000, (sequence) =>
      this.#first.query(addJobs, [sequence, sequence.map((seq) => JSON.stringify(payload(seq)))]),
    );
  }

  /** Ends jobs together with their effects: one statement, which is a transaction by itself. */
  async end(client: pg.Client, ids: readonly number[]): Promise<void> {
    await client.query({ ...endWithEffects, values: [ids] });
  }

  async count(): Promise<number> {
    const { rows } = await this.#first.query<{ jobs: number }>("SELECT count(*)::integer AS jobs FROM bare_job");
    return rows[0]?.jobs ?? Number.NaN;
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end()));
  }
}
