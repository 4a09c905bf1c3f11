import type { AuditRow, AuditTable } from "../postgres/audit/audit-table.ts";
import { parseJson } from "../runtime/json.ts";
import type { AuditEntry, AuditQuery, CheckedEnd, CheckedEntry } from "./audit-entry.ts";
import type { AuditShelf } from "./audit-shelf.ts";

/** In PostgreSQL, for good: whoever owns the database removes what is too old. */
export class AuditInRows implements AuditShelf {
  readonly #table: AuditTable;

  constructor(table: AuditTable) {
    this.#table = table;
  }

  isId(text: string): boolean {
    return /^[1-9]\d{0,17}$/.test(text);
  }

  add({ detailsJson, count, ...entry }: CheckedEntry): Promise<string> {
    return this.#table.add({ ...entry, details: detailsJson ?? null, count: count ?? null });
  }

  finish(id: string, { count, error }: CheckedEnd): Promise<boolean> {
    return this.#table.finish(id, { count: count ?? null, error: error ?? null });
  }

  async page({ before, target }: AuditQuery, limit: number): ReturnType<AuditShelf["page"]> {
    const rows = await this.#table.page({ before, target, limit });
    return { entries: rows.map(toEntry), next: rows.length < limit ? undefined : rows.at(-1)?.id };
  }
}

function toEntry({ id, at, who, action, target, details, count, error, finished_at: finishedAt }: AuditRow): AuditEntry {
  return {
    id,
    at,
    who,
    action,
    target,
    details: details === null ? undefined : parseJson(details),
    count: count ?? undefined,
    error: error ?? undefined,
    finishedAt: finishedAt ?? undefined,
    cursor: id,
  };
}
