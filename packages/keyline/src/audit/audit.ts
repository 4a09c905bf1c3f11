/*
 * DESIGN. No audit, no act: an act is written down before it begins, and whoever cannot write it does not begin. So an entry may be there whose act was never
 * begun, as when the answer to the writing was lost, and never an act without an entry. An entry without an end is an act that is under way, or whose process died.
 */
import type { Door } from "../runtime/door.ts";
import { KeylineError } from "../runtime/errors.ts";
import { Iteration } from "../runtime/iteration.ts";
import { PagedSource } from "../runtime/paged-source.ts";
import {
  checkEnd,
  checkEntry,
  checkList,
  type AuditEnd,
  type AuditEntry,
  type AuditListOptions,
  type NewAuditEntry,
} from "./audit-entry.ts";
import { asRead } from "../valkey/client/as-read.ts";
import { asAct } from "../valkey/client/as-act.ts";
import type { AuditShelf } from "./audit-shelf.ts";

interface AuditParts {
  readonly shelf: AuditShelf;
  readonly door: Door;
  /** Resolves when the store can be asked, or rejects. */
  ensureReady(): Promise<void>;
}

const page = 100;
const noOptions = {};

/** The audit trail: what people did with the help of tools. It is in PostgreSQL if there is one, else the newest 10,000 entries on Valkey. */
export class Audit {
  readonly #parts: AuditParts;

  /** @internal */
  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  /**
   * Writes down an act that is about to begin, and resolves to the entry's id once it is kept. Where it rejects, do not act. Rejects with INVALID_OPTION, NOT_SERIALIZABLE,
   * FORBIDDEN_KEY and PAYLOAD_TOO_LARGE before anything is written, and with the store's errors.
   *
   * @example
   * const id = await keyline.audit.add({ who: "ann", action: "redrive", target: "queue:emails", details: { error: "timeout" } });
   * const count = await emails.redrive({ error: "timeout" });
   * await keyline.audit.finish(id, { count });
   */
  add(entry: NewAuditEntry): Promise<string> {
    const { door, shelf } = this.#parts;
    return door.accept(async () => {
      const checked = checkEntry(entry);
      await this.#parts.ensureReady();
      return shelf.add(checked);
    });
  }

  /** Writes down how the act ended: how many it was done to, and why it went no further. The first time counts: false when there is no such entry without an end. */
  finish(id: string, end: AuditEnd = noOptions): Promise<boolean> {
    const { door, shelf } = this.#parts;
    return door.accept(async () => {
      if (typeof id !== "string" || !shelf.isId(id))
        throw new KeylineError("INVALID_ID", `${JSON.stringify(id)} is no id of an entry of the audit trail`);
      const checked = checkEnd(end);
      await this.#parts.ensureReady();
      return asAct(shelf.finish(id, checked), "audit.finish");
    });
  }

  /**
   * The entries that fit, newest first, page by page as they are iterated. Throws INVALID_OPTION and INVALID_CURSOR at once.
   *
   * @example
   * for await (const { at, who, action, count } of keyline.audit.list({ target: "queue:emails", limit: 20 })) console.log(at, who, action, count);
   */
  list(options: AuditListOptions = noOptions): AsyncIterableIterator<AuditEntry, undefined, void> {
    const { door, shelf } = this.#parts;
    door.check();
    const query = checkList(options, (text) => shelf.isId(text));
    let next = { before: query.before, isOver: false, left: query.limit };
    const read = async (): Promise<readonly AuditEntry[] | undefined> => {
      while (!next.isOver && next.left > 0) {
        await this.#parts.ensureReady();
        const size = query.target === undefined ? Math.min(page, next.left) : page;
        const found = await asRead(shelf.page({ ...query, before: next.before }, size));
        const entries = found.entries.slice(0, next.left);
        next = { before: found.next, isOver: found.next === undefined, left: next.left - entries.length };
        if (entries.length > 0) return entries;
      }
      return undefined;
    };
    return new Iteration(new PagedSource(() => door.accept(read)));
  }
}
