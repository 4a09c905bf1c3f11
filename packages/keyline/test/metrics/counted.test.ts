import { Discard } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { metricsOf } from "../support/scrape.ts";
import { eventually, gate, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

for (const transactional of [false, true]) {
  test(`a queue's counters move by what becomes of its jobs (transactional: ${transactional})`, async () => {
    const keyline = stage.keyline();
    const name = `counted-${transactional}`;
    const queue = transactional
      ? keyline.queue<string>(name, { transactional, maxAttempts: 2, backoff: () => 0 })
      : keyline.queue<string>(name, { maxAttempts: 2, backoff: () => 0 });
    const { read } = metricsOf(keyline, { state: false });
    await queue.add("good");
    await queue.addMany([{ data: "bad" }, { data: "worse" }, { data: "good" }]);
    await queue.add("once", { id: "own" });
    expect(await queue.add("once", { id: "own" })).toMatchObject({ added: false });
    const { id } = await queue.add("never", { delay: 60_000 });
    await queue.cancel(id);
    const started = gate();
    const longer = gate();
    const ends: string[] = [];
    const worker = queue.work(
      async ({ data, signal }) => {
        if (data === "bad") throw new Error("it fails");
        if (data === "worse") throw new Discard("it is of no use");
        if (data !== "long") return;
        started.open();
        await Promise.race([longer.opened, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      },
      { concurrency: 7 },
    );
    worker.on("completed", ({ data }) => ends.push(data));
    worker.on("dead", (job) => ends.push(job?.data ?? ""));
    worker.on("cancelled", ({ data }) => ends.push(data));
    await eventually("they have ended", () => ends.length === 5);
    const long = await queue.add("long");
    await started.opened;
    const during = await read();
    expect(during.get(`keyline_worker_running{queue="${name}"}`)).toBe(1);
    expect(during.get(`keyline_worker_capacity{queue="${name}"}`)).toBe(7);
    await queue.cancel(long.id);
    await eventually("it is cancelled", () => ends.length === 6);
    longer.open();
    await worker.stop();
    const after = await read();
    const of = (what: string): number | undefined => after.get(`keyline_queue_${what}{queue="${name}"}`);
    expect({
      added: of("added_total"),
      completed: of("completed_total"),
      failed: of("failed_total"),
      retried: of("retried_total"),
      dead: of("dead_total"),
      cancelled: of("cancelled_total"),
      overtaken: of("overtaken_total"),
      runs: of("run_seconds_count"),
      waits: of("wait_seconds_count"),
    }).toEqual({ added: 7, completed: 3, failed: 3, retried: 1, dead: 2, cancelled: 2, overtaken: 0, runs: 6, waits: 5 });
    expect(after.get(`keyline_queue_run_seconds_bucket{queue="${name}",le="+Inf"}`)).toBe(6);
    expect(after.get(`keyline_worker_running{queue="${name}"}`)).toBe(0);
    expect(after.get(`keyline_worker_capacity{queue="${name}"}`)).toBe(0);
  });
}

test("what is added within a transaction is counted with its commit, and ticks of schedules are added too", async () => {
  const keyline = stage.keyline();
  const queue = keyline.queue<number>("within", { transactional: true });
  const plain = keyline.queue<number>("ticking");
  const { value } = metricsOf(keyline, { state: false });
  await keyline.transaction(async (tx) => {
    await queue.add(1, { tx });
    await queue.add(2, { tx });
    expect(await value('keyline_queue_added_total{queue="within"}')).toBe(0);
  });
  await eventually("two are counted", async () => (await value('keyline_queue_added_total{queue="within"}')) === 2);
  await keyline
    .transaction(async (tx) => {
      await queue.add(3, { tx });
      throw new Error("never mind");
    })
    .catch(() => undefined);
  expect(await value('keyline_queue_added_total{queue="within"}')).toBe(2);
  const ran = Promise.withResolvers<void>();
  const worker = plain.work(() => ran.resolve());
  await plain.schedule("soon", { every: 100, data: 1 });
  await ran.promise;
  await eventually("it is counted", async () => ((await value('keyline_queue_added_total{queue="ticking"}')) ?? 0) >= 1);
  await worker.stop();
});

for (const transactional of [false, true]) {
  test(`a stream's counters move by what is appended and what its groups make of it (transactional: ${transactional})`, async () => {
    const keyline = stage.keyline();
    const name = `stream-${transactional}`;
    const stream = transactional ? keyline.stream<string>(name, { transactional }) : keyline.stream<string>(name);
    const { read } = metricsOf(keyline, { state: false });
    await stream.append("good", { idempotencyKey: "once" });
    await stream.append("good", { idempotencyKey: "once" });
    await stream.appendMany(["bad", "good"]);
    const ends: string[] = [];
    const held = gate();
    const consumer = stream.consume(
      "readers",
      async ({ data }) => {
        if (data === "bad") throw new Error("it fails");
        await held.opened;
      },
      { maxAttempts: 2, backoff: () => 0, concurrency: 3 },
    );
    consumer.on("completed", ({ data }) => ends.push(data));
    consumer.on("dead", (entry) => ends.push(entry?.data ?? ""));
    const running = `keyline_consumer_running{stream="${name}",group="readers"}`;
    await eventually("the good ones run, and the other one has ended", async () => ends.length === 1 && (await read()).get(running) === 2);
    const during = await read();
    expect(during.get(`keyline_consumer_capacity{stream="${name}",group="readers"}`)).toBe(3);
    held.open();
    await eventually("they have ended", () => ends.length === 3);
    await consumer.stop();
    const after = await read();
    expect(after.get(running)).toBe(0);
    const of = (what: string): number | undefined => after.get(`keyline_group_${what}{stream="${name}",group="readers"}`);
    expect(after.get(`keyline_stream_appended_total{stream="${name}"}`)).toBe(3);
    expect([of("completed_total"), of("failed_total"), of("retried_total"), of("dead_total")]).toEqual([2, 2, 1, 1]);
  });
}

test("events that are appended within a transaction are counted with its commit", async () => {
  const keyline = stage.keyline();
  const stream = keyline.stream<number>("appended-within", { transactional: true });
  const { value } = metricsOf(keyline, { state: false });
  await keyline.transaction((tx) => stream.appendMany([1, 2, 3], { tx }));
  await eventually("three are counted", async () => (await value('keyline_stream_appended_total{stream="appended-within"}')) === 3);
});

for (const history of [undefined, { size: 100 }]) {
  test(`a channel's counters move by what is published and received (history: ${history !== undefined})`, async () => {
    const keyline = stage.keyline();
    const channel = keyline.channel<number>(`news-${history !== undefined}`, history ? { history } : {});
    const { value } = metricsOf(keyline, { state: false, channels: [channel] });
    const of = (what: string): Promise<number | undefined> => value(`keyline_channel_${what}_total{channel="${channel.name}"}`);
    const heard: number[] = [];
    const listeners = [channel.subscribe(({ data }) => void heard.push(data)), channel.subscribe(({ data }) => void heard.push(data))];
    await Promise.all(listeners.map(({ ready }) => ready));
    for (let number = 0; number < 5; number++) await channel.publish(number);
    await keyline.transaction((tx) => channel.publish(5, { tx }));
    await eventually("both have heard all", () => heard.length === 12);
    expect(await of("published")).toBe(6);
    expect(await of("received")).toBe(6);
    expect(await of("dropped")).toBe(0);
    await Promise.all(listeners.map((listener) => listener.close()));
  });
}

test("slow receivers are counted: what they missed, the gaps that they were told of, and those that were ended", async () => {
  const keyline = stage.keyline();
  const channel = keyline.channel<number>("slow");
  const { value } = metricsOf(keyline, { state: false, channels: [channel] });
  const gaps: unknown[] = [];
  const dropping = channel.subscribe({ buffer: 3, whenFull: "drop-oldest", onGap: (gap) => gaps.push(gap) });
  const ending = channel.subscribe({ buffer: 4 });
  await Promise.all([dropping.ready, ending.ready]);
  for (let number = 0; number < 10; number++) await channel.publish(number);
  await eventually("one was ended", async () => (await value('keyline_channel_slow_receivers_total{channel="slow"}')) === 1);
  // Seven of the one, and of the other the one for which there was no room.
  await eventually("eight were dropped", async () => (await value('keyline_channel_dropped_total{channel="slow"}')) === 8);
  expect(await value('keyline_channel_gaps_total{channel="slow",reason="dropped"}')).toBeUndefined();
  for await (const { data } of dropping) if (data === 9) break;
  expect(gaps).toHaveLength(1);
  expect(await value('keyline_channel_gaps_total{channel="slow",reason="dropped"}')).toBe(1);
});

test("what comes for patterns is counted of all of them together", async () => {
  const keyline = stage.keyline();
  const { value } = metricsOf(keyline, { state: false, channels: [] });
  const of = (what: string): Promise<number | undefined> => value(`keyline_pattern_${what}`);
  const heard: unknown[] = [];
  const patterns = ["weather.*", "*.rome"].map((pattern) => keyline.channels(pattern).subscribe(({ data }) => void heard.push(data)));
  const gaps: unknown[] = [];
  const slow = keyline.channels("weather.?*").subscribe({ buffer: 1, whenFull: "drop-oldest", onGap: (gap) => gaps.push(gap) });
  await Promise.all([...patterns, slow].map((subscription) => subscription.ready));
  for (const town of ["rome", "oslo", "rome"]) await keyline.channel(`weather.${town}`).publish(town);
  await eventually("each pattern was handed what fits it", () => heard.length === 5);
  await eventually("all are counted", async () => (await of("received_total")) === 8);
  await eventually("two were dropped", async () => (await of("dropped_total")) === 2);
  for await (const { data } of slow) if (data === "rome") break;
  expect(gaps).toHaveLength(1);
  expect(await of('gaps_total{reason="dropped"}')).toBe(1);
  expect(await of("slow_receivers_total")).toBe(0);
  await Promise.all(patterns.map((subscription) => subscription.close()));
});

test("only the queues, streams and channels that were given are told of", async () => {
  const keyline = stage.keyline();
  const [told, untold] = [keyline.queue<number>("told"), keyline.queue<number>("untold")];
  const { text } = metricsOf(keyline, { queues: [told], streams: [], channels: [] });
  await Promise.all([told.add(1), untold.add(1), keyline.stream<number>("untold").append(1)]);
  expect(await text()).toContain('keyline_queue_added_total{queue="told"} 1');
  expect(await text()).not.toContain("untold");
});
