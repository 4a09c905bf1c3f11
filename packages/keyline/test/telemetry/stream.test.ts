import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { Discard } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { idOf, instrumented, linksOf, openTelescope, type Telescope } from "../support/spans.ts";
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

const sorted = (ids: readonly (string | undefined)[]): (string | undefined)[] => ids.toSorted((a = "", b = "") => a.localeCompare(b));

const kinds = [
  ["plain", false],
  ["transactional", true],
] as const;
const both = kinds.flatMap(([kind, transactional]) =>
  [false, true].map((hasKeys) => [kind, hasKeys ? "keys" : "no keys", transactional, hasKeys] as const),
);

test.each(both)(
  "links what a consumer runs to its append, also when it is tried again (%s, %s)",
  async (kind, keys, transactional, hasKeys) => {
    const name = `consumed-${kind}-${keys.replace(" ", "-")}`;
    const stream = instrumented(stage).stream<number>(name, {
      transactional: transactional as true,
      ...(hasKeys ? { key: () => "k" } : {}),
    });
    const consumer = stream.consume(
      "group",
      (entry) => {
        trace.getTracer("test").startSpan(`inside ${name}`).end();
        if (entry.attempt === 1 && entry.data === 1) throw new RangeError("not yet");
      },
      { backoff: () => 5, concurrency: 3 },
    );
    const { id } = await stream.append(1);
    await stream.append(2, { idempotencyKey: "two" });
    await stream.appendMany([3, 4]);
    const processed = await telescope.awaitSpans(`process ${name}`, 5);
    const settled = await telescope.awaitSpans(`settle ${name}`, 5);
    await consumer.stop();
    const sent = await telescope.awaitSpans(`send ${name}`, 3);
    expect(sent.map(({ kind: of }) => of)).toEqual([SpanKind.PRODUCER, SpanKind.PRODUCER, SpanKind.PRODUCER]);
    expect(sent.map(({ attributes }) => attributes["messaging.batch.message_count"])).toEqual([undefined, undefined, 2]);
    const links = sorted(processed.map((span) => linksOf(span)[0]));
    expect(links).toEqual(sorted([idOf(sent[0]), idOf(sent[0]), idOf(sent[1]), idOf(sent[2]), idOf(sent[2])]));
    const failed = processed.find(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(failed?.kind).toBe(SpanKind.CONSUMER);
    expect(failed?.attributes).toMatchObject({
      "messaging.consumer.group.name": "group",
      "messaging.message.id": id,
      "error.type": "RangeError",
      "keyline.attempt": 1,
    });
    const inside = telescope.spans(`inside ${name}`).map(({ parentSpanContext }) => parentSpanContext?.spanId);
    expect(sorted(inside)).toEqual(sorted(processed.map((span) => idOf(span))));
    expect(sorted(settled.map(({ parentSpanContext }) => parentSpanContext?.spanId))).toEqual(sorted(processed.map((span) => idOf(span))));
    expect(settled.map(({ attributes }) => attributes["keyline.outcome"]).filter((outcome) => outcome === "retried")).toHaveLength(1);
    expect(
      await telescope.measured("messaging.client.consumed.messages", {
        "messaging.consumer.group.name": "group",
        "messaging.destination.name": name,
      }),
    ).toBe(5);
  },
);

test.each(kinds)("the trace of a dead letter outlives its redrive (%s)", async (kind, transactional) => {
  const name = `dead-${kind}`;
  const stream = instrumented(stage).stream<number>(name, { transactional: transactional as true });
  let isMended = false;
  const consumer = stream.consume("group", () => {
    if (!isMended) throw new Discard("no");
  });
  await stream.append(1);
  await telescope.awaitSpans(`settle ${name}`, 1);
  isMended = true;
  await stream.group("group").redrive();
  const [, again] = await telescope.awaitSpans(`process ${name}`, 2);
  await consumer.stop();
  expect(linksOf(again)).toEqual([idOf(telescope.spans(`send ${name}`)[0])]);
});

test("an append within a transaction has its span there, and its trace comes with the event; the settle has one of its own", async () => {
  const keyline = instrumented(stage);
  const stream = keyline.stream<number>("within", { transactional: true });
  await keyline.transaction(async (tx) => {
    await stream.append(1, { tx });
  });
  const consumer = stream.consume("group", async (_, { settle }) => {
    await settle(async (tx) => {
      await tx.query("SELECT 1");
      trace.getTracer("test").startSpan("effects within").end();
    });
  });
  const [process] = await telescope.awaitSpans("process within", 1);
  await consumer.stop();
  expect(linksOf(process)).toEqual([idOf(telescope.spans("send within")[0])]);
  const settled = telescope.spans("settle within");
  expect(settled).toHaveLength(1);
  expect(settled[0]?.parentSpanContext?.spanId).toBe(idOf(process));
  expect(telescope.spans("effects within")[0]?.parentSpanContext?.spanId).toBe(idOf(settled[0]));
});

test("a group that is behind what Valkey keeps gets traces from the record", async () => {
  const stream = instrumented(stage).stream<number>("behind", { transactional: true, retention: { maxLength: 1 } });
  for (let one = 1; one <= 5; one++) await stream.append(one);
  for (const key of await stage.valkey.keys(`${stage.prefix}:{behind}*`)) await stage.valkey.del(key);
  const consumer = stream.consume("group", () => undefined);
  const processed = await telescope.awaitSpans("process behind", 5);
  await consumer.stop();
  expect(sorted(processed.flatMap((span) => linksOf(span)))).toEqual(sorted(telescope.spans("send behind").map((span) => idOf(span))));
});

test.each(kinds)("a projection's page has one span with a link to each append (%s)", async (kind, transactional) => {
  const name = `projected-${kind}`;
  const stream = instrumented(stage).stream<number>(name, { transactional: transactional as true });
  await stream.append(1);
  await stream.append(2);
  let tries = 0;
  const projection = stream.project(
    "table",
    async (tx) => {
      await tx.query("SELECT 1");
      trace.getTracer("test").startSpan(`inside ${name}`).end();
      if (++tries === 1) throw new RangeError("not yet");
    },
    { size: 10 },
  );
  projection.on("error", () => undefined);
  await projection.caughtUp();
  await projection.stop();
  const processed = telescope.spans(`process ${name}`);
  const sent = telescope.spans(`send ${name}`).map((span) => idOf(span));
  expect(processed[0]?.attributes).toMatchObject({
    "messaging.batch.message_count": 2,
    "messaging.consumer.group.name": "table",
    "error.type": "RangeError",
  });
  expect(linksOf(processed[0])).toEqual(sent);
  expect(processed.slice(1).flatMap((span) => linksOf(span))).toEqual(sent);
  expect(telescope.spans(`inside ${name}`)[0]?.parentSpanContext?.spanId).toBe(idOf(processed[0]));
});

test.each([
  ["bare", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
  ["as an object", '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'],
])("a foreign writer's trace is linked: %s", async (how, value) => {
  const name = `foreign-${how.replaceAll(" ", "-")}`;
  const stream = instrumented(stage).stream(name);
  await stage.valkey.xadd(`${stage.prefix}:{${name}}:events`, "*", "data", "1", "trace", value);
  const consumer = stream.consume("group", () => undefined);
  const [process] = await telescope.awaitSpans(`process ${name}`, 1);
  await consumer.stop();
  expect(linksOf(process)).toEqual(["b7ad6b7169203331"]);
});

test("what is not instrumented carries nothing, and what others sent with a trace is run", async () => {
  const bare = stage.keyline().stream<number>("bare");
  await bare.append(1);
  const entries = await stage.valkey.xrange(`${stage.prefix}:{bare}:events`, "-", "+");
  expect(entries.map(([, fields]) => fields)).toEqual([["data", "1"]]);
  await instrumented(stage).stream<number>("bare").append(2);
  const seen: number[] = [];
  const consumer = bare.consume("group", ({ data }) => void seen.push(data));
  await eventually("both ran", () => seen.length === 2);
  await consumer.stop();
  expect(telescope.spans("process bare")).toEqual([]);
});

test.each(kinds)(
  "what is read, followed, or the history of a key has a span a page with a link to each append (%s)",
  async (kind, transactional) => {
    const name = `received-${kind}`;
    const stream = instrumented(stage).stream<number>(name, { transactional: transactional as true, key: () => "k" });
    await stream.append(1);
    await stream.append(2);
    const sent = telescope.spans(`send ${name}`).map((span) => idOf(span));
    const around = trace.getTracer("test").startSpan(`around ${name}`);
    await context.with(trace.setSpan(context.active(), around), async () => {
      const ids: string[] = [];
      for await (const { id } of stream.read()) ids.push(id);
      for await (const { id } of stream.follow({ after: "-" })) if (id === ids.at(-1)) break;
      await stream.history("k");
    });
    around.end();
    const received = telescope.spans(`receive ${name}`);
    // Who follows may get them in two pages.
    expect(received.flatMap((span) => linksOf(span))).toEqual([...sent, ...sent, ...sent]);
    expect(new Set(received.map(({ parentSpanContext }) => parentSpanContext?.spanId))).toEqual(new Set([around.spanContext().spanId]));
    expect(received[0]?.kind).toBe(SpanKind.CONSUMER);
    expect(received[0]?.attributes).toMatchObject({
      "messaging.operation.type": "receive",
      "messaging.destination.name": name,
      "messaging.batch.message_count": 2,
    });
    expect(telescope.spans(`process ${name}`)).toEqual([]);
    expect(
      await telescope.measured("messaging.client.consumed.messages", {
        "messaging.destination.name": name,
        "messaging.operation.name": "receive",
      }),
    ).toBe(6);
  },
);
