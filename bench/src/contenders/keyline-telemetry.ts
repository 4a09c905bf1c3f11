import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { instrument } from "keyline/telemetry";
import { openWith } from "./keyline.ts";
import type { OpenPlainQueue } from "./plain-queue.ts";

/** Instrumented, where no provider is registered. */
export const openInstrumented: OpenPlainQueue = (options) => openWith({}, options, (keyline) => void instrument(keyline));

/** With the SDK's provider, whose spans go nowhere. */
export const openTraced: OpenPlainQueue = (options) => {
  const exporter = {
    export: (_: unknown, done: (result: { readonly code: number }) => void): void => done({ code: 0 }),
    shutdown: (): Promise<void> => Promise.resolve(),
  };
  new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] }).register();
  return openInstrumented(options);
};
