import type { Context } from "@opentelemetry/api";
import { context, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { performance } from "../runtime/clock.ts";
import { toError } from "../runtime/errors.ts";
import type { SettledBy, Taken, Within } from "../runtime/probe.ts";
import { outcome } from "./conventions.ts";
import type { MetersOf, Tracers } from "./providers.ts";
import { attributesOf, fail, nameOf, typeOf } from "./told.ts";

/** What one call of a handler got, until all of it is settled. */
export interface Processed {
  readonly taken: Taken;
  /** Of its span; undefined where it has none. */
  readonly context: Context | undefined;
  /** When its handler had ended: by the clock, and by `performance`. */
  endedAt: number;
  endedMs: number;
  /** How many are not settled yet. */
  left: number;
  /** How many of the others the handler has not settled itself, and what became of them. */
  owed: number;
  by: SettledBy | "several" | undefined;
  error: Error | undefined;
}

/** The ends of what was processed: one span where the handler settles, and one where an end takes effect that it did not settle. */
export class Settlements {
  readonly #tracers: Tracers;
  readonly #meters: MetersOf;
  readonly #open = new WeakMap<object, Processed>();
  /** Their handler has settled them. */
  readonly #done = new WeakSet<object>();

  constructor({ tracers, meters }: { readonly tracers: Tracers; readonly meters: MetersOf }) {
    this.#tracers = tracers;
    this.#meters = meters;
  }

  begin(taken: Taken, context: Context | undefined): Processed {
    const processed: Processed = {
      taken,
      context,
      endedAt: Date.now(),
      endedMs: performance.now(),
      left: taken.of.length,
      owed: 0,
      by: undefined,
      error: undefined,
    };
    for (const one of taken.of) this.#open.set(one, processed);
    return processed;
  }

  /** The handler settles. */
  async settle<Result>(of: readonly object[], settle: (within: Within) => Promise<Result>): Promise<Result> {
    const processed = of[0] && this.#open.get(of[0]);
    if (!processed) return settle((work) => work);
    const { taken } = processed;
    const span = this.#startSpan(processed, of.length);
    const within = processed.context && span ? trace.setSpan(processed.context, span) : undefined;
    const beganMs = performance.now();
    let error: Error | undefined;
    try {
      const result = await settle((work) => (within ? context.bind(within, work) : work));
      for (const one of settledOf(result, of)) this.#done.add(one);
      return result;
    } catch (thrown) {
      error = toError(thrown);
      if (span) fail(span, error);
      throw thrown;
    } finally {
      span?.end();
      this.#measure(taken, performance.now() - beganMs, error);
    }
  }

  /** An end of one has taken effect. */
  settled(one: object, by: SettledBy, error: Error | undefined): void {
    const processed = this.#open.get(one);
    if (!processed) return;
    this.#open.delete(one);
    processed.left--;
    if (!this.#done.has(one)) {
      processed.owed++;
      processed.by = processed.by === undefined || processed.by === by ? by : "several";
      // An attempt that failed and is tried again is settled well.
      if (by === "lost" || by === "drop") processed.error ??= error;
    }
    if (processed.left === 0 && processed.owed > 0) this.#tell(processed);
  }

  #tell(processed: Processed): void {
    const { by, error, taken } = processed;
    const span = this.#startSpan(processed, processed.owed, processed.endedAt);
    if (span && by !== undefined && by !== "several") span.setAttribute(outcome, outcomes[by]);
    if (span && error) fail(span, error);
    span?.end();
    this.#measure(taken, performance.now() - processed.endedMs, error);
  }

  #startSpan({ taken, context }: Processed, count: number, startTime?: number) {
    const { place, group, ids, isBatch } = taken;
    const subject = { place, group, ...(isBatch ? { count } : { id: ids[0] }) };
    const attributes = attributesOf("settle", subject);
    const when = startTime === undefined ? {} : { startTime };
    return this.#tracers.tracer?.startSpan(
      nameOf("settle", place),
      { kind: SpanKind.CLIENT, attributes, ...when },
      context ?? ROOT_CONTEXT,
    );
  }

  #measure({ place, group }: Taken, ms: number, error: Error | undefined): void {
    this.#meters.meters?.took(ms, { operation: "settle", place, group, error: error && typeOf(error) });
  }
}

const outcomes = {
  settle: "completed",
  drop: "completed",
  yield: "returned",
  retry: "retried",
  bury: "dead",
  lost: "lost",
} as const satisfies Record<SettledBy, string>;

/** A batch's settle says which of its jobs it has settled. */
function settledOf(result: unknown, of: readonly object[]): readonly object[] {
  const isPart = typeof result === "object" && result !== null && "settled" in result && Array.isArray(result.settled);
  return isPart ? (result.settled as object[]) : of;
}
