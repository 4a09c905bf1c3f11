import type { Audit } from "keyline";
import type { Visitor } from "../access/visitor.ts";
import { Refusal } from "../http/refusal.ts";
import { patiently, type Outages } from "../library/patience.ts";
import type { LogError } from "../log-error.ts";
import type { Redactor } from "../redact/redactor.ts";

export interface Act {
  readonly action: string;
  /** `queue:NAME`, `stream:NAME`, `channel:NAME`. */
  readonly target: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

interface AuditedSetup {
  readonly audit: Pick<Audit, "add" | "finish">;
  readonly redactor: Redactor;
  readonly outages: Outages;
  readonly logError: LogError;
}

const writeWithinMs = 5_000;
const longest = 200;

/** No audit, no act: what somebody does is written down before it begins. */
export class Audited {
  readonly #setup: AuditedSetup;

  constructor(setup: AuditedSetup) {
    this.#setup = setup;
  }

  /** Writes down the act, then does it, then writes down what came of it. Throws a refusal, with nothing done, where it cannot be written. */
  async do<Result>(
    visitor: Visitor,
    act: Act,
    work: () => Promise<Result>,
    countOf: (result: Result) => number | undefined = () => 1,
  ): Promise<Result> {
    const id = await this.begin(visitor, act);
    let result: Result;
    try {
      result = await work();
    } catch (error) {
      await this.end(id, { error: this.explain(error) });
      throw error;
    }
    await this.end(id, { count: countOf(result) });
    return result;
  }

  async begin({ who }: Visitor, { action, target, details }: Act): Promise<string> {
    const { audit, redactor, outages } = this.#setup;
    const entry = {
      who: toKey(who),
      action,
      target: target.slice(0, longest),
      ...(details && { details: redactor.value(JSON.parse(JSON.stringify(details))) }),
    };
    try {
      return await patiently(outages, audit.add(entry), writeWithinMs);
    } catch (error) {
      this.#setup.logError(error, "an act was refused, as it could not be written to the audit trail", { action, target });
      const detail = "The audit trail cannot be written at the moment, and what is not written down is not done";
      throw new Refusal({ status: 503, code: "NO_AUDIT", title: "Nothing was done", detail });
    }
  }

  /** Resolves when it is written, or cannot be: the act has ended all the same. */
  async end(id: string, end: { readonly count?: number | undefined; readonly error?: string | undefined }): Promise<void> {
    const { audit, outages, logError } = this.#setup;
    const { count, error } = end;
    const written = audit.finish(id, { ...(count !== undefined && { count }), ...(error !== undefined && { error }) });
    try {
      await patiently(outages, written, writeWithinMs);
    } catch (failure) {
      logError(failure, "the end of an act could not be written to the audit trail", { act: id });
    }
  }

  explain(error: unknown): string {
    return this.#setup.redactor.text(error instanceof Error ? error.message : String(error));
  }
}

/** As the audit trail takes it. */
function toKey(who: string): string {
  const key = who.replaceAll(/[\p{Cc}"\\]/gu, "_").slice(0, longest);
  return key.toWellFormed() || "unknown";
}
