import type { MeterProvider, TextMapPropagator, TracerProvider } from "@opentelemetry/api";
import type { Keyline } from "../keyline.ts";
import { KeylineError } from "../runtime/errors.ts";
import { checkOptionNames } from "../runtime/options.ts";
import { seamOf } from "../runtime/probe.ts";
import { MetersOf, Tracers } from "./providers.ts";
import { SpanProbe } from "./span-probe.ts";
import { registeredPropagator } from "./trace-context.ts";

export interface InstrumentOptions {
  /** Default: the one that is registered, also when that is done later. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Default: the one that is registered, also when that is done later. */
  readonly meterProvider?: MeterProvider | undefined;
  /** Writes what travels with a job, a message and an event. Default: the one that is registered, and W3C Trace Context where none is. */
  readonly propagator?: TextMapPropagator | undefined;
  /**
   * How the span of a handler is tied to that of whoever sent what it runs: "link" (the default), so that it begins a trace of its own, or "parent", so that all is one trace. Batches are
   * linked in any case.
   */
  readonly processParent?: "link" | "parent" | undefined;
}

const optionNames = new Set<string>([
  "tracerProvider",
  "meterProvider",
  "propagator",
  "processParent",
] satisfies (keyof InstrumentOptions)[]);

/**
 * Has spans and metrics made of everything that this Keyline sends, runs and settles, by OpenTelemetry's conventions for messaging. Returns what ends it. While no provider is registered it does nothing.
 * Throws INVALID_OPTION, also for a Keyline that is instrumented already.
 *
 * @example
 * const stop = instrument(keyline);
 */
export function instrument(keyline: Keyline, options: InstrumentOptions = {}): () => void {
  checkOptionNames("instrument", options, optionNames);
  const { tracerProvider, meterProvider, propagator = registeredPropagator, processParent = "link" } = options;
  if (processParent !== "link" && processParent !== "parent") {
    throw new KeylineError("INVALID_OPTION", `processParent must be "link" or "parent", not ${JSON.stringify(processParent)}`);
  }
  const seam = seamOf(keyline);
  if (!seam) throw new KeylineError("INVALID_OPTION", "instrument takes a Keyline");
  if (seam.isOpen) throw new KeylineError("INVALID_OPTION", "This Keyline is instrumented already");
  const tracers = new Tracers(tracerProvider);
  const meters = new MetersOf(meterProvider);
  const probe = new SpanProbe({ tracers, meters, propagator, isParent: processParent === "parent" });
  seam.open(() => (tracers.tracer || meters.meters ? probe : undefined));
  let isStopped = false;
  return () => {
    // Another one may have begun since.
    if (!isStopped) seam.close();
    isStopped = true;
  };
}
