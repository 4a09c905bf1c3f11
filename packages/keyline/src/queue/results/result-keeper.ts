import type { Transaction } from "../../postgres/client/options.ts";
import type { FamilyTable } from "../../postgres/job/family-table.ts";
import type { OutcomeTable, ResultRow } from "../../postgres/job/outcome-table.ts";
import { toError } from "../../runtime/errors.ts";
import { toJson } from "../../runtime/json.ts";
import type { Outcome } from "../../work/outcome.ts";
import type { Element } from "../element.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

interface ResultKeeperParts {
  readonly queue: string;
  /** Where a job does not say for how long. */
  readonly keepMs: number | undefined;
  readonly maxBytes: number;
  /** Only of a transactional queue. */
  readonly table: OutcomeTable | undefined;
  readonly families: FamilyTable | undefined;
  /** The name of the lease that the worker has. */
  readonly leaseName: () => string;
  readonly onError: (error: Error) => void;
}

/** What handlers return, as far as that is to be kept. */
export class ResultKeeper {
  readonly #parts: ResultKeeperParts;

  constructor(parts: ResultKeeperParts) {
    this.#parts = parts;
  }

  /** Milliseconds for which the job's result is kept; 0 for not at all. */
  keepMsOf(element: Element | undefined): number {
    return element ? (element.keepMs ?? this.#parts.keepMs ?? 0) : 0;
  }

  /** Takes the result out of how the attempt ended. One that is no JSON, or too large, makes it a failed one, unless it was settled already. */
  take(held: HeldJob<unknown>, outcome: Outcome): Outcome {
    if (!this.#isKept(held.element)) return outcome;
    if (outcome.kind !== "completed" && outcome.kind !== "settled") {
      held.result = undefined;
      return outcome;
    }
    // What was committed with the effects counts.
    if (outcome.kind === "settled" && held.result?.openIn === undefined) return outcome;
    try {
      held.result = { ...held.result, json: this.#toJson(held, outcome.value) };
    } catch (thrown) {
      const error = toError(thrown);
      if (outcome.kind === "completed") return { kind: "failed", error };
      this.#parts.onError(error);
    }
    return outcome;
  }

  /** The effects of a settle, and behind them the result that they returned. */
  within(held: HeldJob<unknown>, effects: (tx: Transaction) => Promise<unknown>): (tx: Transaction) => Promise<unknown> {
    if (!this.#isKept(held.element)) return effects;
    return async (tx) => {
      const value = await effects(tx);
      await this.#keep(tx, [{ held, value }]);
    };
  }

  /** The same for jobs of a batch: `values` may be a Map of results by job. */
  async keepAll(
    tx: Transaction,
    jobs: readonly { readonly held: HeldJob<unknown>; readonly job: unknown }[],
    values: unknown,
  ): Promise<void> {
    const kept = jobs.filter(({ held }) => this.#isKept(held.element));
    if (kept.length === 0) return;
    await this.#keep(
      tx,
      kept.map(({ held, job }) => ({ held, value: values instanceof Map ? (values.get(job) as unknown) : undefined })),
    );
  }

  async #keep(tx: Transaction, results: readonly { readonly held: HeldJob<unknown>; readonly value: unknown }[]): Promise<void> {
    const children: { readonly id: string; readonly json: string | undefined }[] = [];
    const final: ResultRow[] = [];
    const open: ResultRow[] = [];
    const openIn = this.#parts.leaseName();
    for (const { held, value } of results) {
      const json = this.#toJson(held, value);
      if (held.element?.isChild && json !== undefined) children.push({ id: held.element.id, json });
      if (this.keepMsOf(held.element) === 0) continue;
      held.result = { json, openIn: json === undefined ? openIn : undefined };
      (json === undefined ? open : final).push({ id: held.element?.id ?? "", json, keepMs: this.keepMsOf(held.element) });
    }
    if (children.length > 0) await this.#parts.families?.keepWithin(tx, this.#parts.queue, children);
    if (final.length > 0) await this.#parts.table?.keepWithin(tx, final, undefined);
    // The handler has not returned, and may still return a result.
    if (open.length > 0) await this.#parts.table?.keepWithin(tx, open, openIn);
  }

  /** For a time, or for its parent. */
  #isKept(element: Element | undefined): boolean {
    return element !== undefined && (element.isChild || this.keepMsOf(element) > 0);
  }

  #toJson({ element }: HeldJob<unknown>, value: unknown): string | undefined {
    if (value === undefined) return undefined;
    return toJson(`the result of job ${element?.id ?? ""} of queue ${this.#parts.queue}`, value, this.#parts.maxBytes);
  }
}
