import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
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

const kinds = [
  ["live", {}],
  ["kept", { history: {} }],
] as const;

test.each(kinds)("links a listener's span to the publish, with what it does inside (%s)", async (kind, options) => {
  const name = `heard-${kind}`;
  const channel = instrumented(stage).channel<number>(name, options);
  const subscription = channel.subscribe(async ({ data }) => {
    await Promise.resolve();
    trace.getTracer("test").startSpan(`inside ${name}`).end();
    if (data === 2) throw new RangeError("no");
  });
  await subscription.ready;
  const { id } = await channel.publish(1);
  await channel.publish(2);
  const [first, second] = await telescope.awaitSpans(`process ${name}`, 2);
  await subscription.close();
  const sent = telescope.spans(`send ${name}`);
  expect(sent[0]?.kind).toBe(SpanKind.PRODUCER);
  expect(sent[0]?.attributes).toMatchObject({
    "messaging.operation.type": "send",
    "messaging.destination.name": name,
    "messaging.message.id": id,
  });
  expect(first?.kind).toBe(SpanKind.CONSUMER);
  expect(first?.attributes).toMatchObject({ "messaging.operation.type": "process", "messaging.message.id": id });
  expect(linksOf(first)).toEqual([idOf(sent[0])]);
  expect(linksOf(second)).toEqual([idOf(sent[1])]);
  expect(second?.status.code).toBe(SpanStatusCode.ERROR);
  expect(second?.attributes).toMatchObject({ "error.type": "RangeError" });
  expect(telescope.spans(`inside ${name}`)[0]?.parentSpanContext?.spanId).toBe(idOf(first));
  expect(await telescope.measured("messaging.client.sent.messages", { "messaging.destination.name": name })).toBe(2);
  expect(await telescope.measured("messaging.client.consumed.messages", { "messaging.destination.name": name })).toBe(2);
});

test.each(kinds)("a publish within a transaction carries its trace through the outbox (%s)", async (kind, options) => {
  const name = `outbox-${kind}`;
  const keyline = instrumented(stage);
  const channel = keyline.channel<number>(name, options);
  const heard: number[] = [];
  const subscription = channel.subscribe(({ data }) => void heard.push(data));
  await subscription.ready;
  await keyline.transaction(async (tx) => {
    await channel.publish(1, { tx });
  });
  const [process] = await telescope.awaitSpans(`process ${name}`, 1);
  await subscription.close();
  expect(heard).toEqual([1]);
  expect(linksOf(process)).toEqual([idOf(telescope.spans(`send ${name}`)[0])]);
});

test("what was kept is linked too, for those who come later, and for those who listen to a pattern", async () => {
  const keyline = instrumented(stage);
  const channel = keyline.channel<number>("later.one", { history: {} });
  const pattern = keyline.channels("later.*").subscribe(() => undefined);
  await pattern.ready;
  await channel.publish(1);
  await telescope.awaitSpans("process later.one", 1);
  await pattern.close();
  // Another process, which has nothing in memory.
  const other = instrumented(stage).channel<number>("later.one", { history: {} });
  const subscription = other.subscribe(() => undefined, { since: "earliest" });
  const processed = await telescope.awaitSpans("process later.one", 2);
  await subscription.close();
  const sent = telescope.spans("send later.one").map((span) => idOf(span));
  expect(processed.map((span) => linksOf(span))).toEqual([sent, sent]);
});

test("a foreign publisher's trace is linked, and what is none is passed over", async () => {
  const channel = instrumented(stage).channel("foreign");
  const subscription = channel.subscribe(() => undefined);
  await subscription.ready;
  const live = (await stage.valkey.pubsub("CHANNELS", `${stage.prefix}*foreign*`)) as string[];
  const send = (message: string) => stage.valkey.publish(live[0] ?? "", message);
  await send('{"data":1,"trace":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}');
  await send('{"data":2,"trace":[7]}');
  const processed = await telescope.awaitSpans("process foreign", 2);
  await subscription.close();
  expect(processed.map((span) => linksOf(span))).toEqual([["b7ad6b7169203331"], []]);
});

test("what is not instrumented carries nothing, and hears what does", async () => {
  const bare = stage.keyline().channel<number>("bare", { history: {} });
  const heard: unknown[] = [];
  const subscription = bare.subscribe((message) => void heard.push(message));
  await subscription.ready;
  await bare.publish(1);
  await instrumented(stage).channel<number>("bare", { history: {} }).publish(2);
  await eventually("both were heard", () => heard.length === 2);
  await subscription.close();
  const entries = await stage.valkey.xrange(`${stage.prefix}:{bare}:history`, "-", "+");
  expect(entries.map(([, values]) => values.length)).toEqual([6, 8]);
  const fields = ["channel", "id", "data", "at", "cursor"];
  expect(heard.map((message) => Object.keys(message as object))).toEqual([fields, fields]);
  expect(telescope.spans("process bare")).toEqual([]);
});

test.each(kinds)(
  "who iterates has a span for each message, linked to the publish, below what is current there (%s)",
  async (kind, options) => {
    const name = `iterated-${kind}`;
    const channel = instrumented(stage).channel<number>(name, options);
    const subscription = channel.subscribe();
    await subscription.ready;
    const { id } = await channel.publish(1);
    const around = trace.getTracer("test").startSpan(`around ${name}`);
    const got: number[] = [];
    await context.with(trace.setSpan(context.active(), around), async () => {
      for await (const { data } of subscription) {
        got.push(data);
        if (data === 2) break;
        // The second one is waited for.
        void context.with(ROOT_CONTEXT, () => channel.publish(2));
      }
    });
    around.end();
    expect(got).toEqual([1, 2]);
    const [first, second] = telescope.spans(`receive ${name}`);
    // A message may be here before its publish has heard of it.
    const sent = await telescope.awaitSpans(`send ${name}`, 2);
    expect(first?.kind).toBe(SpanKind.CONSUMER);
    expect(first?.attributes).toMatchObject({
      "messaging.operation.type": "receive",
      "messaging.destination.name": name,
      "messaging.message.id": id,
    });
    expect([linksOf(first), linksOf(second)]).toEqual([[idOf(sent[0])], [idOf(sent[1])]]);
    expect([first, second].map((span) => span?.parentSpanContext?.spanId)).toEqual([
      around.spanContext().spanId,
      around.spanContext().spanId,
    ]);
    expect(telescope.spans(`process ${name}`)).toEqual([]);
    expect(
      await telescope.measured("messaging.client.consumed.messages", {
        "messaging.destination.name": name,
        "messaging.operation.name": "receive",
      }),
    ).toBe(2);
  },
);
