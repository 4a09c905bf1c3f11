import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace-node";
import type { Keyline } from "keyline";
import { instrument } from "keyline/telemetry";
import { eventually, type Stage } from "./stage.ts";

/** The real SDK, registered for the process: what it was given can be looked at. */
export interface Telescope {
  readonly exporter: InMemorySpanExporter;
  /** The spans of that name that have ended, oldest first. */
  spans(name: string): ReadableSpan[];
  /** The same, when there are so many. */
  awaitSpans(name: string, count: number): Promise<ReadableSpan[]>;
  /** The sum of a counter, or the number of a histogram's values, of those that have these attributes. */
  measured(name: string, attributes?: Readonly<Record<string, unknown>>): Promise<number>;
  close(): Promise<void>;
}

/** Nothing is registered any more: other test files of the process begin anew. */
export function unregister(): void {
  for (const api of [trace, metrics, propagation, context]) api.disable();
}

export function openTelescope(): Telescope {
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  provider.register();
  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(meterProvider);
  const spans = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name);
  return {
    exporter,
    spans,
    awaitSpans: async (name, count) => {
      await eventually(`there are ${count} spans ${name}`, () => spans(name).length >= count);
      return spans(name);
    },
    measured: async (name, attributes = {}) => {
      const { resourceMetrics } = await reader.collect();
      const found = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics).filter(({ descriptor }) => descriptor.name === name);
      let sum = 0;
      for (const { dataPoints } of found) {
        for (const { value, attributes: has } of dataPoints) {
          if (!Object.entries(attributes).every(([key, wanted]) => has[key] === wanted)) continue;
          sum += typeof value === "number" ? value : (value.count ?? 0);
        }
      }
      return sum;
    },
    close: async () => {
      await provider.shutdown();
      await meterProvider.shutdown();
      unregister();
    },
  };
}

/** A Keyline of that stage whose seam is open. */
export function instrumented(stage: Stage, options: Parameters<typeof instrument>[1] = {}): Keyline {
  const keyline = stage.keyline();
  instrument(keyline, options);
  return keyline;
}

export const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;
export const linksOf = (span: ReadableSpan | undefined): string[] => span?.links.map((link) => link.context.spanId) ?? [];
