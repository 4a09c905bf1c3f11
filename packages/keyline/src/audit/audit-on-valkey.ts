import { KeylineError } from "../runtime/errors.ts";
import { parseJson } from "../runtime/json.ts";
import { explainSend } from "../valkey/client/faults.ts";
import type { AuditLog, LoggedEntry } from "../valkey/audit/audit-log.ts";
import type { AuditEntry, AuditQuery, CheckedEnd, CheckedEntry } from "./audit-entry.ts";
import type { AuditShelf } from "./audit-shelf.ts";

type Written = Pick<AuditEntry, "who" | "action" | "target" | "details" | "count">;
type WrittenEnd = Pick<AuditEntry, "count" | "error"> & { readonly at?: number };

/** On Valkey, where there is no PostgreSQL: the newest ten thousand, as durable as Valkey is. */
export class AuditOnValkey implements AuditShelf {
  readonly #log: AuditLog;

  constructor(log: AuditLog) {
    this.#log = log;
  }

  isId(text: string): boolean {
    return /^\d{1,15}-\d{1,9}$/.test(text);
  }

  async add({ detailsJson, ...entry }: CheckedEntry): Promise<string> {
    const text = JSON.stringify(entry);
    try {
      return await this.#log.add(detailsJson === undefined ? text : `${text.slice(0, -1)},"details":${detailsJson}}`);
    } catch (error) {
      throw explainSend(
        error,
        "The connection to Valkey broke while an act was written down: the entry may be there. Do not act; write it down once more",
      );
    }
  }

  finish(id: string, end: CheckedEnd): Promise<boolean> {
    return this.#log.finish(id, JSON.stringify({ ...end, at: Date.now() }));
  }

  async page({ before, target }: AuditQuery, limit: number): ReturnType<AuditShelf["page"]> {
    const found = await this.#log.page(before, limit);
    const entries = found.map(toEntry).filter((entry) => target === undefined || entry.target === target);
    return { entries, next: found.length < limit ? undefined : found.at(-1)?.id };
  }
}

function toEntry({ id, text, end }: LoggedEntry): AuditEntry {
  const { who, action, target, details, count } = read(id, text) as Written;
  const ended = end === "" ? undefined : (read(id, end) as WrittenEnd);
  return {
    id,
    at: Number(id.slice(0, id.indexOf("-"))),
    who,
    action,
    target,
    details,
    count: ended?.count ?? count,
    error: ended?.error,
    finishedAt: ended?.at,
    cursor: id,
  };
}

function read(id: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new KeylineError("INVALID_ELEMENT", `The entry ${id} of the audit trail cannot be read: somebody else wrote it`, { cause });
  }
}
