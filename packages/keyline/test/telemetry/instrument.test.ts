import { execFileSync } from "node:child_process";
import { context, propagation, ProxyTracer, trace, type TextMapPropagator } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { instrument } from "keyline/telemetry";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
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

test("while no provider is registered nothing is asked of OpenTelemetry, and nothing is written into what is sent", async () => {
  const asked = [vi.spyOn(ProxyTracer.prototype, "startSpan"), vi.spyOn(propagation, "inject"), vi.spyOn(context, "with")];
  const keyline = stage.keyline();
  instrument(keyline);
  await keyline.migrate();
  const [plain, recorded] = [keyline.queue<number>("unseen"), keyline.queue<number>("unseen-rows", { transactional: true })];
  const [stream, channel] = [keyline.stream<number>("unseen"), keyline.channel<number>("unseen", { history: {} })];
  await Promise.all([plain.add(1), plain.addMany([{ data: 2 }]), recorded.add(1), stream.append(1), channel.publish(1)]);
  const { rows } = await stage.pool.query("SELECT * FROM keyline.job WHERE queue = 'unseen-rows'");
  const entries = await stage.valkey.xrange(`${stage.prefix}:{unseen}:events`, "-", "+");
  const messages = await stage.valkey.xrange(`${stage.prefix}:{unseen}:history`, "-", "+");
  const sent = [await waiting("unseen"), rows, entries, messages];
  expect(sent.map((some) => some.length)).toEqual([2, 1, 1, 1]);
  // As where nothing is instrumented: of a trace not even a name, but for the columns of rows, which have none.
  expect(JSON.stringify([...sent.slice(0, 1), ...sent.slice(2)])).not.toMatch(/trace/i);
  for (const [name, value] of Object.entries(rows[0] as object)) if (/trace/i.test(name)) expect(value).toBeNull();
  const done: string[] = [];
  const workers = [
    plain.work(() => void done.push("plain")),
    recorded.work((_, { settle }) => settle(async () => void done.push("recorded"))),
    stream.consume("readers", () => void done.push("entry"), { from: "-" }),
  ];
  await eventually("all of it was worked on", () => done.length === 4);
  await Promise.all(workers.map((worker) => worker.stop()));
  for (const spy of asked) {
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  }
});

test("OpenTelemetry is loaded by keyline/telemetry, and by nothing else", () => {
  const program = `
    const { createRequire } = await import("node:module");
    const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("@opentelemetry"));
    const { Keyline } = await import("keyline");
    await import("keyline/metrics");
    const keyline = new Keyline({ valkey: "valkey://127.0.0.1:1" });
    keyline.queue("orders");
    const before = isLoaded();
    const { instrument } = await import("keyline/telemetry");
    console.log(before, isLoaded());
    await keyline.close();`;
  const args = ["--conditions=development", "--input-type=module", "--eval", program];
  expect(execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" })).toBe("false true\n");
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
