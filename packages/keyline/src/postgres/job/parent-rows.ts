import type { Database } from "../client/database.ts";
import type { Statement } from "../client/statement.ts";

/** A job of which something became. */
export interface Released {
  readonly queue: string;
  readonly id: string;
  readonly answer: "woken" | "dead";
}

interface SweptRow {
  readonly family: string;
  readonly queue: string | null;
  readonly id: string | null;
  readonly answer: "woken" | "dead" | null;
}

const release: Statement = {
  name: "keyline-release-parents",
  text: "SELECT queue, id, answer FROM keyline.release_parents($1, $2::text[])",
};
const releaseFamilies: Statement = {
  name: "keyline-release-families",
  text: "SELECT queue, id, answer FROM keyline.release_families($1::bigint[])",
};
const sweep: Statement = { name: "keyline-sweep-families", text: "SELECT family, queue, id, answer FROM keyline.sweep_families($1, $2)" };
const releaseOwn: Statement = {
  name: "keyline-release-own",
  text: `SELECT released.of_queue AS queue, released.of_id AS id, released.answer FROM keyline.family, keyline.release_family(family.id) AS released
    WHERE family.queue = $1 AND family.job_id = $2 AND family.ended IS NULL AND released.answer IS NOT NULL`,
};

const untold: Statement = {
  name: "keyline-untold-families",
  text: "SELECT id::text AS family, queue, job_id AS id FROM keyline.family WHERE is_untold AND id > $1::bigint ORDER BY id LIMIT $2",
};

const noteTold: Statement = {
  name: "keyline-note-told",
  text: "UPDATE keyline.family SET is_untold = NULL WHERE queue = $1 AND job_id = $2 AND is_untold RETURNING id",
};

const readDead: Statement = {
  name: "keyline-read-dead-child",
  text: `SELECT child.queue, child.id, coalesce(child.reason, letter.last_error) AS reason
    FROM keyline.family JOIN keyline.family_death AS death ON death.family = family.id
      JOIN keyline.family_child AS child ON child.family = death.family AND child.number = death.number
      LEFT JOIN keyline.job AS letter ON letter.queue = child.queue AND letter.id = child.id AND letter.state = 'dead'
    WHERE family.queue = $1 AND family.job_id = $2 AND family.ended IS NULL ORDER BY child.number LIMIT 1`,
};

/** Jobs of all transactional queues that wait for their children. */
export class ParentRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Asks, behind the COMMIT of their ends, whether parents of these jobs have what they wait for. Returns those that were woken or buried. */
  release(queue: string, ids: readonly string[]): Promise<Released[]> {
    return this.#database.query<Released & Record<string, unknown>>(release, [queue, ids]);
  }

  /** The same of families that are known. */
  releaseFamilies(families: readonly string[]): Promise<Released[]> {
    return this.#database.query<Released & Record<string, unknown>>(releaseFamilies, [families]);
  }

  /** Asks, behind the COMMIT that parked this job, whether it has what it waits for: whoever ended its last child meanwhile may have asked too early. */
  releaseOwn(queue: string, id: string): Promise<Released[]> {
    return this.#database.query<Released & Record<string, unknown>>(releaseOwn, [queue, id]);
  }

  /** Parents that were buried, which nobody has told, behind `after`. */
  untold(after: string, limit: number): Promise<{ readonly family: string; readonly queue: string; readonly id: string }[]> {
    return this.#database.query(untold, [after, limit]);
  }

  /** It was told that this parent is dead. True for one caller of several. */
  async noteTold(queue: string, id: string): Promise<boolean> {
    return (await this.#database.query(noteTold, [queue, id])).length > 0;
  }

  /** The first of its children that is dead. */
  async deadChild(
    queue: string,
    id: string,
  ): Promise<{ readonly queue: string; readonly id: string; readonly reason: string | null } | undefined> {
    return (await this.#database.query<{ queue: string; id: string; reason: string | null }>(readDead, [queue, id]))[0];
  }

  /** The same for a page of all families behind `after`, whoever has not asked. */
  async sweep(
    after: string,
    limit: number,
  ): Promise<{ readonly released: Released[]; readonly next: string | undefined; readonly looked: number }> {
    const rows = await this.#database.query<SweptRow & Record<string, unknown>>(sweep, [after, limit]);
    const released = rows.flatMap((row) =>
      row.answer !== null && row.queue !== null && row.id !== null ? [{ queue: row.queue, id: row.id, answer: row.answer }] : [],
    );
    return { released, next: rows.length === limit ? rows.at(-1)?.family : undefined, looked: rows.length };
  }
}
