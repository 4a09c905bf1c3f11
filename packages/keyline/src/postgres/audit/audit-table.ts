import type { Database } from "../client/database.ts";
import { withStorableText } from "../client/refused-data.ts";
import type { Statement } from "../client/statement.ts";

export interface AuditRow {
  readonly id: string;
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly who: string;
  readonly action: string;
  readonly target: string;
  readonly details: string | null;
  readonly count: number | null;
  readonly error: string | null;
  readonly finished_at: number | null;
}

const insert: Statement = {
  name: "keyline-audit-add",
  text: "INSERT INTO keyline.audit (who, action, target, details, count) VALUES ($1, $2, $3, $4, $5) RETURNING id::text",
};

const finish: Statement = {
  name: "keyline-audit-finish",
  text: "UPDATE keyline.audit SET count = coalesce($2, count), error = $3, finished_at = clock_timestamp() WHERE id = $1 AND finished_at IS NULL RETURNING 1",
};

const columns = `id::text, floor(extract(epoch FROM at) * 1000)::float8 AS at, who, action, target, details::text, count::float8, error,
  floor(extract(epoch FROM finished_at) * 1000)::float8 AS finished_at`;

const page: Statement = {
  name: "keyline-audit-page",
  isQuick: true,
  text: `SELECT ${columns} FROM keyline.audit WHERE id < $1 ORDER BY audit.id DESC LIMIT $2`,
};

const pageOfTarget: Statement = {
  name: "keyline-audit-target-page",
  isQuick: true,
  text: `SELECT ${columns} FROM keyline.audit WHERE target = $3 AND id < $1 ORDER BY audit.id DESC LIMIT $2`,
};

const largestId = "9223372036854775807";

/** The audit trail, as rows. */
export class AuditTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async add(entry: {
    readonly who: string;
    readonly action: string;
    readonly target: string;
    readonly details: string | null;
    readonly count: number | null;
  }): Promise<string> {
    const { who, action, target, details, count } = entry;
    const [row] = await this.#database.query<{ id: string }>(insert, [who, action, target, details, count]);
    return row?.id ?? "";
  }

  async finish(id: string, { count, error }: { readonly count: number | null; readonly error: string | null }): Promise<boolean> {
    const write = (text: string | null) => this.#database.query(finish, [id, count, text]);
    return (await (error === null ? write(null) : withStorableText(error, write))).length > 0;
  }

  /** Newest first, those before `before` where it is given. */
  page({
    before,
    target,
    limit,
  }: {
    readonly before: string | undefined;
    readonly target: string | undefined;
    readonly limit: number;
  }): Promise<AuditRow[]> {
    const values = [before ?? largestId, limit];
    return target === undefined
      ? this.#database.query<AuditRow>(page, values)
      : this.#database.query<AuditRow>(pageOfTarget, [...values, target]);
  }
}
