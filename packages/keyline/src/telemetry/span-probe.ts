import type { Context, Link, TextMapPropagator } from "@opentelemetry/api";
import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { performance } from "../runtime/clock.ts";
import { KeylineError, toError, type ErrorCode } from "../runtime/errors.ts";
import type { Ended, Probe, Received, Sent, SettledBy, Taken, Within } from "../runtime/probe.ts";
import { extract, inject } from "./carrier.ts";
import { attempt, messageId } from "./conventions.ts";
import type { Measured } from "./meters.ts";
import type { MetersOf, Tracers } from "./providers.ts";
import { Settlements } from "./settlements.ts";
import { attributesOf, fail, nameOf, typeOf } from "./told.ts";

export interface SpanProbeParts {
  readonly tracers: Tracers;
  readonly meters: MetersOf;
  readonly propagator: Pick<TextMapPropagator, "inject" | "extract">;
  readonly isParent: boolean;
}

/** Makes spans and metrics of what it is told. */
export class SpanProbe implements Probe {
  readonly #parts: SpanProbeParts;
  readonly #settlements: Settlements;

  constructor(parts: SpanProbeParts) {
    this.#parts = parts;
    this.#settlements = new Settlements(parts);
  }

  send<Result>({ place, count }: Sent, send: (trace: string | undefined) => Promise<Result>): Promise<Result> {
    const { tracers, meters, propagator } = this.#parts;
    const around = context.active();
    const attributes = attributesOf("send", { place, count });
    const span = tracers.tracer?.startSpan(nameOf("send", place), { kind: SpanKind.PRODUCER, attributes }, around);
    const beganMs = performance.now();
    const ended = (error: Error | undefined): void => {
      if (span && error) fail(span, error);
      span?.end();
      const measured: Measured = { operation: "send", place, error: error && typeOf(error) };
      meters.meters?.took(performance.now() - beganMs, measured);
      if (!error || wasSent(error)) meters.meters?.sent(count ?? 1, measured);
    };
    return send(span && inject(propagator, trace.setSpan(around, span))).then(
      (result) => {
        const id = count === undefined ? idOf(result) : undefined;
        if (id !== undefined) span?.setAttribute(messageId, id);
        ended(undefined);
        return result;
      },
      (error: unknown) => {
        ended(toError(error));
        throw error;
      },
    );
  }

  receive({ place, ids, isBatch, traces }: Received): void {
    const { tracers, meters } = this.#parts;
    const attributes = attributesOf("receive", isBatch ? { place, count: ids.length } : { place, id: ids[0] });
    const links = linksTo(this.#senders(traces), isBatch ? ids : []);
    tracers.tracer?.startSpan(nameOf("receive", place), { kind: SpanKind.CONSUMER, attributes, links }, context.active()).end();
    meters.meters?.consumed(ids.length, { operation: "receive", place, error: undefined });
  }

  process(taken: Taken, run: (ended: Ended) => void): void {
    const { tracers, meters } = this.#parts;
    const { place, group, ids, isBatch } = taken;
    const { tracer } = tracers;
    const senders = this.#senders(taken.traces);
    const [sender] = senders;
    const isParent = this.#parts.isParent && !isBatch && sender !== undefined && trace.getSpanContext(sender) !== undefined;
    const around = isParent ? sender : withBaggage(isBatch ? undefined : sender);
    const links = isParent ? [] : linksTo(senders, isBatch ? ids : []);
    const subject = isBatch ? { place, group, count: ids.length } : { place, group, id: ids[0] };
    const attributes = attributesOf("process", subject);
    if (taken.attempt !== undefined) attributes[attempt] = taken.attempt;
    const span = tracer?.startSpan(nameOf("process", place), { kind: SpanKind.CONSUMER, attributes, links }, around);
    const within = span && trace.setSpan(around, span);
    const processed = this.#settlements.begin(taken, within);
    const beganMs = performance.now();
    meters.meters?.consumed(ids.length, { operation: "process", place, group, error: undefined });
    const ended: Ended = (error, then) => {
      if (span && error) fail(span, error);
      span?.end();
      processed.endedAt = Date.now();
      processed.endedMs = performance.now();
      meters.meters?.took(processed.endedMs - beganMs, { operation: "process", place, group, error: error && typeOf(error) });
      // What comes next is of no handler.
      context.with(ROOT_CONTEXT, then);
    };
    if (within) context.with(within, run, undefined, ended);
    else run(ended);
  }

  settle<Result>(of: readonly object[], settle: (within: Within) => Promise<Result>): Promise<Result> {
    return this.#settlements.settle(of, settle);
  }

  settled(of: object, by: SettledBy, error: Error | undefined): void {
    this.#settlements.settled(of, by, error);
  }

  #senders(traces: readonly (string | undefined)[]): (Context | undefined)[] {
    return traces.map((text) => (text === undefined ? undefined : extract(this.#parts.propagator, text)));
  }
}

function withBaggage(sender: Context | undefined): Context {
  const baggage = sender && propagation.getBaggage(sender);
  return baggage ? propagation.setBaggage(ROOT_CONTEXT, baggage) : ROOT_CONTEXT;
}

function linksTo(senders: readonly (Context | undefined)[], ids: readonly string[]): Link[] {
  return senders.flatMap((sender, index) => {
    const sent = sender && trace.getSpanContext(sender);
    const id = ids[index];
    if (!sent) return [];
    return id === undefined ? [{ context: sent }] : [{ context: sent, attributes: { [messageId]: id } }];
  });
}

function idOf(result: unknown): string | undefined {
  return typeof result === "object" && result !== null && "id" in result && typeof result.id === "string" ? result.id : undefined;
}

const storeCodes = new Set<ErrorCode>(["VALKEY_UNAVAILABLE", "POSTGRES_UNAVAILABLE", "OUTCOME_UNKNOWN"]);

/** It was tried, and not refused before. */
function wasSent(error: Error): boolean {
  return !(error instanceof KeylineError) || storeCodes.has(error.code);
}
