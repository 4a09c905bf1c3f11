import type { Context, TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";
import { createTraceState, isSpanContextValid, propagation, trace } from "@opentelemetry/api";

const traceparent = "traceparent";
const tracestate = "tracestate";
const version00 = /^\s?([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?\s?$/;

/** W3C Trace Context, for where no propagator is registered: whoever gives a provider to one library alone registers none. */
const traceContext: Pick<TextMapPropagator, "inject" | "extract"> = {
  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = trace.getSpanContext(context);
    if (!span || !isSpanContextValid(span)) return;
    setter.set(carrier, traceparent, `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`);
    const state = span.traceState?.serialize();
    if (state) setter.set(carrier, tracestate, state);
  },

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const [, version, traceId = "", spanId = "", flags = "", more] = version00.exec(String(getter.get(carrier, traceparent) ?? "")) ?? [];
    if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return context;
    const state = getter.get(carrier, tracestate);
    const traceState = typeof state === "string" ? createTraceState(state) : undefined;
    const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true, ...(traceState ? { traceState } : {}) };
    return isSpanContextValid(span) ? trace.setSpanContext(context, span) : context;
  },
};

/** The propagator that is registered, whenever that is; until then W3C Trace Context. */
export const registeredPropagator: Pick<TextMapPropagator, "inject" | "extract"> = {
  inject: (context, carrier, setter) => current().inject(context, carrier, setter),
  extract: (context, carrier, getter) => current().extract(context, carrier, getter),
};

function current(): Pick<TextMapPropagator, "inject" | "extract"> {
  return propagation.fields().length > 0 ? propagation : traceContext;
}
