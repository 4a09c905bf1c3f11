import { context, propagation, trace, type TextMapPropagator } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { instrument } from "keyline/telemetry";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openTelescope, unregister } from "../support/spans.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  unregister();
  stage = await openStage();
});
afterEach(unregister);
afterAll(() => stage.close());

const waiting = (queue: string): Promise<string[]> => stage.valkey.lrange(`${stage.prefix}:{${queue}}:waiting`, 0, -1);

test("does nothing while no provider is registered, begins with one that comes later, and ends when it is stopped", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue("later");
  const stop = instrument(keyline);
  for (let data = 0; data < 10; data++) await queue.add(data);
  expect((await waiting("later"))[0]).not.toContain("trace");
  const telescope = openTelescope();
  await queue.add(2);
  expect((await waiting("later"))[0]).toContain(`"trace":"00-`);
  expect(telescope.spans("send later")).toHaveLength(1);
  // The first that is sent then is measured too.
  expect(await telescope.measured("messaging.client.sent.messages", { "messaging.destination.name": "later" })).toBe(1);
  stop();
  await queue.add(3);
  expect((await waiting("later"))[0]).not.toContain("trace");
  expect(telescope.spans("send later")).toHaveLength(1);
  // It may be instrumented again, and the end of the first is not the end of the second.
  instrument(keyline);
  stop();
  await queue.add(4);
  expect(telescope.spans("send later")).toHaveLength(2);
  await telescope.close();
});

test("takes a provider that is not registered, and writes W3C Trace Context where no propagator is", async () => {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const keyline = stage.keyline();
  instrument(keyline, { tracerProvider });
  const queue = keyline.queue("given");
  const worker = queue.work(() => undefined);
  await queue.add(1);
  const named = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name);
  await eventually("it was processed", () => named("settle given") !== undefined);
  await worker.stop();
  expect(named("process given")?.links[0]?.context.spanId).toBe(named("send given")?.spanContext().spanId);
  expect(named("settle given")?.parentSpanContext?.spanId).toBe(named("process given")?.spanContext().spanId);
});

test("carries what a propagator of one's own writes", async () => {
  const telescope = openTelescope();
  const propagator: TextMapPropagator = {
    inject: (from, carrier, setter) => {
      setter.set(carrier, "data", "not the job's");
      setter.set(carrier, "x-own", trace.getSpanContext(from)?.traceId ?? "");
    },
    extract: (to, carrier, getter) =>
      trace.setSpanContext(to, {
        traceId: String(getter.get(carrier, "x-own")),
        spanId: "b7ad6b7169203331",
        traceFlags: 1,
        isRemote: true,
      }),
    fields: () => ["x-own"],
  };
  const keyline = stage.keyline();
  instrument(keyline, { propagator });
  const queue = keyline.queue("own");
  const seen: unknown[] = [];
  const worker = queue.work((job) => void seen.push(job.data));
  await queue.add("the data");
  await eventually("it was processed", () => telescope.spans("process own").length > 0);
  await worker.stop();
  expect(seen).toEqual(["the data"]);
  expect(telescope.spans("process own")[0]?.links[0]?.context.traceId).toBe(telescope.spans("send own")[0]?.spanContext().traceId);
  await telescope.close();
});

test("baggage and tracestate travel too", async () => {
  const telescope = openTelescope();
  const keyline = stage.keyline();
  instrument(keyline);
  const queue = keyline.queue("baggage");
  const state = trace.wrapSpanContext({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
    traceState: { get: () => "b", set: () => state0, unset: () => state0, serialize: () => "a=b" },
  });
  const around = propagation.setBaggage(trace.setSpan(context.active(), state), propagation.createBaggage({ tenant: { value: "acme" } }));
  await context.with(around, () => queue.add(1));
  let tenant: string | undefined;
  const worker = queue.work(() => void (tenant = propagation.getActiveBaggage()?.getEntry("tenant")?.value));
  await eventually("it was processed", () => telescope.spans("process baggage").length > 0);
  await worker.stop();
  expect(tenant).toBe("acme");
  expect(telescope.spans("process baggage")[0]?.links[0]?.context.traceState?.serialize()).toBe("a=b");
  await telescope.close();
});
const state0 = { get: () => undefined, set: () => state0, unset: () => state0, serialize: () => "" };

test("measures without a tracer", async () => {
  const telescope = openTelescope();
  trace.disable();
  const keyline = stage.keyline();
  instrument(keyline);
  const queue = keyline.queue("measured");
  const worker = queue.work(() => undefined);
  await queue.add(1);
  const at = { "messaging.destination.name": "measured" };
  await eventually("it was settled", async () => {
    return (await telescope.measured("messaging.client.operation.duration", { ...at, "messaging.operation.name": "settle" })) === 1;
  });
  expect(await telescope.measured("messaging.process.duration", at)).toBe(1);
  expect(telescope.exporter.getFinishedSpans()).toEqual([]);
  await worker.stop();
  await telescope.close();
});

test("refuses what it does not know", () => {
  const keyline = stage.keyline();
  const invalid = expect.objectContaining({ code: "INVALID_OPTION" });
  expect(() => instrument(keyline, { tracer: 1 } as object)).toThrow(invalid);
  expect(() => instrument(keyline, { processParent: "both" as "link" })).toThrow(invalid);
  expect(() => instrument({} as typeof keyline)).toThrow(invalid);
  instrument(keyline);
  expect(() => instrument(keyline)).toThrow(invalid);
});
