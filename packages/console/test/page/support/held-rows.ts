import type { Pool } from "pg";
import { eventually } from "../../../../keyline/test/support/stage.ts";

const key = 7;

/** Statements that change rows of jobs wait for it, so that a test can look at what happens between two of them. */
export interface HeldRows {
  /** Resolves when so many wait. */
  waiting(count: number): Promise<void>;
  /** Lets the one go that waits, and holds the one behind it. */
  letOneGo(): Promise<void>;
  release(): Promise<void>;
}

export async function holdRows(pool: Pool, statement: "UPDATE" | "DELETE"): Promise<HeldRows> {
  await pool.query(`
    CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(${key}); RETURN NULL; END $$;
    CREATE TRIGGER hold BEFORE ${statement} ON keyline.job FOR EACH STATEMENT EXECUTE FUNCTION hold()`);
  let holder = await pool.connect();
  await holder.query("SELECT pg_advisory_lock($1)", [key]);
  // Statements of acts on dead letters alone: a relay may change rows too.
  const waiting = (count: number): Promise<void> =>
    eventually(
      `${count} wait`,
      async () => {
        const { rows } = await pool.query(
          `SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
          AND datname = current_database() AND query LIKE '%state = ''dead''%'`,
          [key],
        );
        return rows.length === count;
      },
      60_000,
    );
  const letGo = async (): Promise<void> => {
    await holder.query("SELECT pg_advisory_unlock($1)", [key]);
    holder.release();
  };
  return {
    waiting,
    letOneGo: async () => {
      // It stands in line behind the one that waits, and before all that come.
      const next = await pool.connect();
      const locked = next.query("SELECT pg_advisory_lock($1)", [key]);
      await waiting(1);
      await eventually("the next one stands in line", async () => {
        const { rows } = await pool.query(
          "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database() AND query LIKE 'SELECT pg_advisory_lock%'",
        );
        return rows.length === 1;
      });
      await letGo();
      await locked;
      holder = next;
    },
    release: async () => {
      await letGo();
      await pool.query("DROP TRIGGER hold ON keyline.job");
    },
  };
}

/** Dead letters of a transactional queue, as rows. */
export async function bury(pool: Pool, queue: string, count: number): Promise<void> {
  await pool.query(
    `INSERT INTO keyline.job (queue, id, data, added_at, state, attempts, last_error, died_at)
      SELECT $1, 'job-' || n, to_json(n), now(), 'dead', 1, 'RangeError: number ' || n || ' is too large', now() - interval '1 minute' + n * interval '1 millisecond'
      FROM generate_series(1, $2::int) AS n`,
    [queue, count],
  );
}
