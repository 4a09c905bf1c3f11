import type { Tie } from "../../valkey/queue/tie.ts";
import type { Verdict } from "../../work/verdict.ts";
import type { HeldJob } from "../worker/held-jobs.ts";

/** A longer one is looked up by those who wait for it: see scripts/tie-result.lua. */
const longestTold = 4_096;

type How = "completed" | "dead" | "look";

/** What a job ends with: what is kept of it here, and what is told. */
class ResultTie implements Tie {
  readonly kind = "result";
  readonly told: Tie["told"];
  readonly #id: string;
  readonly #json: string;
  readonly #keepMs: number;
  readonly #how: How;

  constructor(id: string, { json, keepMs, how }: { readonly json: string; readonly keepMs: number; readonly how: How }) {
    this.#id = id;
    this.#json = json;
    this.#keepMs = keepMs;
    this.#how = how;
    this.told = how === "completed" && json.length <= longestTold ? [id, json, keepMs] : undefined;
  }

  // Written when it is asked for: of a job that ends alone it is not.
  get value(): string {
    const isSent = this.#how === "completed" && (this.told !== undefined || this.#keepMs > 0);
    return `${this.#keepMs} ${this.#how} ${Buffer.byteLength(this.#id)} ${this.#id}${isSent ? this.#json : ""}`;
  }
}

/**
 * Tells of a job's end, and keeps its result on Valkey where that has the record of it. The end and the notice are one step: a worker that dies before it leaves
 * the job to another one, which tells in its place.
 */
export function resultTie(job: HeldJob<unknown>, { keepMs, hasRecord }: { readonly keepMs: number; readonly hasRecord: boolean }): Tie {
  const { element, result, verdict } = job;
  const json = result?.json ?? "";
  const how = howOf(verdict, { hasRecord, hasResult: result !== undefined });
  // Where the record has it Valkey only tells.
  const kept = hasRecord ? 0 : keepMs;
  const isLookedUp = how === "completed" && kept === 0 && json.length > longestTold;
  return new ResultTie(element?.id ?? "", { json, keepMs: kept, how: isLookedUp ? "look" : how });
}

// Of a job that was settled before, or by effects of which nothing is kept, only the record knows how it ended.
function howOf(verdict: Verdict | undefined, { hasRecord, hasResult }: { readonly hasRecord: boolean; readonly hasResult: boolean }): How {
  if (verdict?.kind === "bury") return "dead";
  const isKnown = hasRecord ? hasResult : verdict?.kind === "settle";
  return isKnown && (verdict?.kind === "settle" || verdict?.kind === "drop") ? "completed" : "look";
}
