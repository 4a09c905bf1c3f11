import type { AuditEntry, AuditQuery, CheckedEnd, CheckedEntry } from "./audit-entry.ts";

/** Where the audit trail is kept. */
export interface AuditShelf {
  isId(text: string): boolean;
  add(entry: CheckedEntry): Promise<string>;
  finish(id: string, end: CheckedEnd): Promise<boolean>;
  /** The newest entries before `before` that fit, at least one of them unless `isOver`; the next page is before `next`. */
  page(query: AuditQuery, limit: number): Promise<AuditPage>;
}

interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Undefined when there are no more. */
  readonly next: string | undefined;
}
