import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { Discard, type Job, type Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instrumented, openTelescope, type Telescope } from "../support/spans.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
let telescope: Telescope;
beforeAll(async () => {
  stage = await openStage();
  telescope = openTelescope();
  await stage.keyline().migrate();
});
afterAll(async () => {
  await stage.close();
  await telescope.close();
});

const kinds = [
  ["plain", false],
  ["transactional", true],
] as const;

async function oneSpan(name: string, count = 1) {
  const spans = await telescope.awaitSpans(name, count);
  expect(spans).toHaveLength(count);
  const span = spans[count - 1];
  if (!span) throw new Error("there is none");
  return span;
}

test.each(kinds)(
  "links the span of a handler to that of the add, with what the handler does inside and the settle below (%s)",
  async (kind, transactional) => {
    const name = `linked-${kind}`;
    const queue = instrumented(stage).queue<number>(name, { transactional: transactional as true });
    const worker = queue.work(async () => {
      await Promise.resolve();
      trace.getTracer("test").startSpan(`inside ${name}`).end();
    });
    const { id } = await queue.add(1);
    const send = await oneSpan(`send ${name}`);
    const process = await oneSpan(`process ${name}`);
    const settle = await oneSpan(`settle ${name}`);
    const inside = await oneSpan(`inside ${name}`);
    await worker.stop();

    expect(send.kind).toBe(SpanKind.PRODUCER);
    expect(send.attributes).toEqual({
      "messaging.system": "keyline",
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.destination.name": name,
      "messaging.message.id": id,
    });
    expect(send.instrumentationScope).toMatchObject({ name: "keyline", schemaUrl: "https://opentelemetry.io/schemas/1.45.0" });
    expect(process.kind).toBe(SpanKind.CONSUMER);
    expect(process.attributes).toEqual({
      "messaging.system": "keyline",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": name,
      "messaging.message.id": id,
      "keyline.attempt": 1,
    });
    expect(process.parentSpanContext).toBeUndefined();
    expect(process.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([
      [send.spanContext().traceId, send.spanContext().spanId],
    ]);
    expect(inside.parentSpanContext?.spanId).toBe(process.spanContext().spanId);
    expect(settle.kind).toBe(SpanKind.CLIENT);
    expect(settle.parentSpanContext?.spanId).toBe(process.spanContext().spanId);
    expect(settle.attributes).toMatchObject({
      "messaging.operation.type": "settle",
      "messaging.message.id": id,
      "keyline.outcome": "completed",
    });
    const at = { "messaging.destination.name": name };
    expect(await telescope.measured("messaging.client.sent.messages", at)).toBe(1);
    expect(await telescope.measured("messaging.client.consumed.messages", at)).toBe(1);
    expect(await telescope.measured("messaging.process.duration", at)).toBe(1);
    expect(await telescope.measured("messaging.client.operation.duration", { ...at, "messaging.operation.name": "send" })).toBe(1);
    expect(await telescope.measured("messaging.client.operation.duration", { ...at, "messaging.operation.name": "settle" })).toBe(1);
  },
);

test.each(kinds)("makes the add's span the parent where that is asked for (%s)", async (kind, transactional) => {
  const name = `parent-${kind}`;
  const queue = instrumented(stage, { processParent: "parent" }).queue<number>(name, { transactional: transactional as true });
  const tracer = trace.getTracer("test");
  await tracer.startActiveSpan(`request ${name}`, async (span) => {
    await queue.add(1);
    span.end();
  });
  const worker = queue.work(() => undefined);
  const process = await oneSpan(`process ${name}`);
  await worker.stop();
  const send = await oneSpan(`send ${name}`);
  expect(send.parentSpanContext?.spanId).toBe((await oneSpan(`request ${name}`)).spanContext().spanId);
  expect(process.parentSpanContext).toMatchObject({ spanId: send.spanContext().spanId, isRemote: true });
  expect(process.links).toEqual([]);
});

// Each goes to its store by a way of its own.
const ways: readonly (readonly [string, Parameters<ReturnType<Keyline["queue"]>["add"]>[1]])[] = [
  ["own id", { id: "own" }],
  ["delay", { delay: 5 }],
  ["priority", { priority: "high" }],
  ["group", { group: "g" }],
  ["key", { deduplicate: { key: "k" } }],
  ["latest", { deduplicate: { key: "l", window: 5, keep: "latest" } }],
  ["result", { keepResult: 1_000, maxAttempts: 2 }],
];
test.each(kinds.flatMap(([kind, transactional]) => ways.map(([way, options]) => [kind, way, transactional, options] as const)))(
  "the trace travels with a job of a %s queue that is added with %s, and through its retry",
  async (kind, way, transactional, options) => {
    const name = `way-${kind}-${way.replace(" ", "-")}`;
    const queue = instrumented(stage).queue<number>(name, { transactional: transactional as true, backoff: () => 5 });
    await queue.add(1, options);
    const worker = queue.work((job: Job<number>) => {
      if (job.attempt === 1) throw new RangeError("not yet");
    });
    const second = await oneSpan(`process ${name}`, 2);
    await worker.stop();
    const send = await oneSpan(`send ${name}`);
    const [first] = telescope.spans(`process ${name}`);
    expect(first?.status.code).toBe(SpanStatusCode.ERROR);
    expect(first?.attributes).toMatchObject({ "error.type": "RangeError", "keyline.attempt": 1 });
    expect(second.status.code).toBe(SpanStatusCode.UNSET);
    expect(second.attributes).toMatchObject({ "keyline.attempt": 2 });
    for (const span of [first, second]) expect(span?.links[0]?.context.spanId).toBe(send.spanContext().spanId);
    expect(telescope.spans(`settle ${name}`)[0]?.attributes).toMatchObject({ "keyline.outcome": "retried" });
  },
);

test.each(kinds)("a batch has one span with a link to each add, and jobs of one call one add (%s)", async (kind, transactional) => {
  const name = `batch-${kind}`;
  const queue = instrumented(stage).queue<number>(name, { transactional: transactional as true });
  const added = await queue.addMany([{ data: 1 }, { data: 2 }]);
  added.push(await queue.add(3));
  const worker = queue.workBatch(() => undefined, { size: 10 });
  const process = await oneSpan(`process ${name}`);
  const settle = await oneSpan(`settle ${name}`);
  await worker.stop();
  const [many, single] = telescope.spans(`send ${name}`);
  expect(many?.attributes).toMatchObject({ "messaging.batch.message_count": 2 });
  expect(many?.attributes["messaging.message.id"]).toBeUndefined();
  expect(process.attributes).toMatchObject({ "messaging.batch.message_count": 3 });
  const senders = [many, many, single].map((span) => span?.spanContext().spanId);
  expect(process.links.map(({ context, attributes }) => [context.spanId, attributes?.["messaging.message.id"]])).toEqual(
    senders.map((sender, index) => [sender, added[index]?.id]),
  );
  expect(settle.attributes).toMatchObject({ "messaging.batch.message_count": 3, "keyline.outcome": "completed" });
  expect(settle.parentSpanContext?.spanId).toBe(process.spanContext().spanId);
  expect(await telescope.measured("messaging.client.sent.messages", { "messaging.destination.name": name })).toBe(3);
  expect(await telescope.measured("messaging.client.consumed.messages", { "messaging.destination.name": name })).toBe(3);
});

test("a handler's settle has one span, and what its effects do is below that", async () => {
  const queue = instrumented(stage).queue<number>("settled", { transactional: true });
  const worker = queue.work(async (_, { settle }) => {
    await settle(async (tx) => {
      await tx.query("SELECT 1");
      trace.getTracer("test").startSpan("effects").end();
    });
  });
  await queue.add(1);
  const settle = await oneSpan("settle settled");
  const process = await oneSpan("process settled");
  await worker.stop();
  expect(settle.parentSpanContext?.spanId).toBe(process.spanContext().spanId);
  expect((await oneSpan("effects")).parentSpanContext?.spanId).toBe(settle.spanContext().spanId);
  expect(telescope.spans("settle settled")).toHaveLength(1);
});

test("a batch's settle has one span, and those that it does not name one more", async () => {
  const queue = instrumented(stage).queue<number>("settled-batch", { transactional: true });
  await queue.addMany([{ data: 1 }, { data: 2 }, { data: 3 }]);
  const worker = queue.workBatch(async (jobs, { settle }) => {
    await settle(jobs.slice(0, 2), async (tx) => tx.query("SELECT 1"));
  });
  await oneSpan("settle settled-batch", 2);
  await worker.stop();
  const counts = telescope.spans("settle settled-batch").map(({ attributes }) => attributes["messaging.batch.message_count"]);
  expect(counts).toEqual([2, 1]);
});

test.each(kinds)("a dead letter's settle says so, and its trace outlives a redrive (%s)", async (kind, transactional) => {
  const name = `dead-${kind}`;
  const queue = instrumented(stage).queue<number>(name, { transactional: transactional as true });
  let isMended = false;
  const worker = queue.work(() => {
    if (!isMended) throw new Discard("no");
  });
  await queue.add(1);
  await oneSpan(`settle ${name}`);
  isMended = true;
  await queue.redrive({ all: true });
  const second = await oneSpan(`process ${name}`, 2);
  await worker.stop();
  expect(telescope.spans(`settle ${name}`)[0]?.attributes).toMatchObject({ "keyline.outcome": "dead" });
  expect(second.links[0]?.context.spanId).toBe((await oneSpan(`send ${name}`)).spanContext().spanId);
});

test("the trace comes back from PostgreSQL when Valkey was emptied", async () => {
  const keyline = instrumented(stage);
  const queue = keyline.queue<number>("emptied", { transactional: true });
  await queue.add(1, { delay: 50 });
  await keyline.transaction((tx) => queue.add(2, { tx }).then(() => undefined));
  await eventually("both are on Valkey", async () => {
    const { waiting, scheduled } = await queue.counts();
    return waiting + scheduled === 2;
  });
  for (const key of await stage.valkey.keys(`${stage.prefix}:{emptied}*`)) await stage.valkey.del(key);
  const worker = queue.work(() => undefined);
  await oneSpan("process emptied", 2);
  await worker.stop();
  const senders = new Set(telescope.spans("send emptied").map((span) => span.spanContext().spanId));
  const linked = telescope.spans("process emptied").map(({ links }) => links[0]?.context.spanId ?? "none");
  expect(new Set(linked)).toEqual(senders);
});

test.each(kinds)(
  "children carry the trace of the add that brought them, and of the handler that added them (%s)",
  async (kind, transactional) => {
    const name = `family-${kind}`;
    const keyline = instrumented(stage);
    const parents = keyline.queue<string>(name, { transactional: transactional as true });
    const children = keyline.queue<string>(`${name}-child`, { transactional: transactional as true });
    const grandchildren = keyline.queue<string>(`${name}-grandchild`, { transactional: transactional as true });
    const workers = [
      grandchildren.work(() => undefined),
      children.work(async (job, { step }) => {
        const more = [{ queue: grandchildren, data: "grandchild" }];
        if (transactional) await step("split", (tx) => job.addChildren(more, { tx }));
        else await job.addChildren(more, { name: "split" });
        await job.childrenEnded();
      }),
      parents.work(() => undefined),
    ];
    await parents.add("parent", { children: [{ queue: children, data: "child" }] });
    const last = await oneSpan(`process ${name}`);
    await Promise.all(workers.map((worker) => worker.stop()));
    const send = await oneSpan(`send ${name}`);
    const [child] = telescope.spans(`process ${name}-child`);
    const sendMore = telescope.spans(`send ${name}-grandchild`);
    expect(last.links[0]?.context.spanId).toBe(send.spanContext().spanId);
    expect(child?.links[0]?.context.spanId).toBe(send.spanContext().spanId);
    expect(sendMore[0]?.parentSpanContext?.spanId).toBe(child?.spanContext().spanId);
    expect((await oneSpan(`process ${name}-grandchild`)).links[0]?.context.spanId).toBe(sendMore[0]?.spanContext().spanId);
    for (const span of telescope.spans(`process ${name}-child`)) expect(span.status.code).toBe(SpanStatusCode.UNSET);
  },
);

test.each(kinds)("a tick begins a trace (%s)", async (kind, transactional) => {
  const name = `tick-${kind}`;
  const queue = instrumented(stage, { processParent: "parent" }).queue<number>(name, { transactional: transactional as true });
  const worker = queue.work(() => undefined);
  await queue.schedule("often", { every: 1_000, data: 1 });
  await eventually("it has ticked", () => telescope.spans(`process ${name}`).length > 0);
  await queue.unschedule("often");
  await worker.stop();
  const [process] = telescope.spans(`process ${name}`);
  expect(process?.parentSpanContext).toBeUndefined();
  expect(process?.links).toEqual([]);
});

const foreign = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
test.each([
  ["in front", `{"id":"f1","trace":"${foreign}","data":1}`],
  ["behind", `{"data":1,"id":"f2","trace":"${foreign}"}`],
  ["as an object", `{"id":"f3","trace":{"traceparent":"${foreign}","tracestate":"a=b"},"data":{"trace":"x"}}`],
])("a foreign writer's trace is linked: %s", async (_, element) => {
  const name = `foreign-${JSON.parse(element).id as string}`;
  const queue = instrumented(stage).queue(name);
  await stage.valkey.lpush(`${stage.prefix}:{${name}}:waiting`, element);
  const worker = queue.work(() => undefined);
  const process = await oneSpan(`process ${name}`);
  await worker.stop();
  expect(process.links[0]?.context).toMatchObject({ traceId: foreign.slice(3, 35), spanId: "b7ad6b7169203331" });
});

test.each(['"nonsense"', "17", "null", '{"traceparent":5}', '"00-00000000000000000000000000000000-0000000000000000-00"'])(
  "a trace that is none is passed over: %s",
  async (value) => {
    const name = `nonsense-${value.length}`;
    const queue = instrumented(stage).queue(name);
    await stage.valkey.lpush(`${stage.prefix}:{${name}}:waiting`, `{"id":"n","trace":${value},"data":1}`);
    const worker = queue.work(() => undefined);
    expect((await oneSpan(`process ${name}`)).links).toEqual([]);
    await worker.stop();
  },
);

test("a trace goes from one process to another", async () => {
  const adder = join(import.meta.dirname, "../support/traced-adder.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--conditions=development",
    adder,
    stage.valkeyUrl,
    stage.prefix,
    "two-processes",
  ]);
  const queue = instrumented(stage, { processParent: "parent" }).queue("two-processes");
  const worker = queue.work(() => undefined);
  const processed = await oneSpan("process two-processes");
  await worker.stop();
  expect(processed.spanContext().traceId).toBe(stdout.trim());
});

test("what is not instrumented carries nothing", async () => {
  const queue = stage.keyline().queue<number>("bare");
  const rows = stage.keyline().queue<number>("bare-rows", { transactional: true });
  await queue.add(1);
  await rows.add(1);
  expect(await stage.valkey.lrange(`${stage.prefix}:{bare}:waiting`, 0, -1)).toEqual([expect.not.stringContaining("trace")]);
  const { rows: found } = await stage.pool.query("SELECT trace FROM keyline.job WHERE queue = 'bare-rows'");
  expect(found).toEqual([{ trace: null }]);
});

test("a refused add has a span with its code, and is no message that was sent", async () => {
  const queue = instrumented(stage).queue("refused");
  await expect(queue.add(1, { maxAttempts: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  const send = await oneSpan("send refused");
  expect(send.status.code).toBe(SpanStatusCode.ERROR);
  expect(send.attributes).toMatchObject({ "error.type": "INVALID_OPTION" });
  expect(await telescope.measured("messaging.client.sent.messages", { "messaging.destination.name": "refused" })).toBe(0);
});
