import { Snooze, type Keyline, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let keyline: Keyline;

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
});

afterAll(() => stage.close());

const keyOf = (name: string, key: string): string => `${stage.prefix}:{${name}}:${key}`;

describe.each([{ transactional: false }, { transactional: true }])("update (transactional: $transactional)", ({ transactional }) => {
  const open = <Data = string>(name: string): Queue<Data> =>
    keyline.queue<Data>(`${name}-${transactional}`, {
      transactional,
      backoff: () => 60_000,
      maxPayloadBytes: 200,
    } as { transactional: false });
  const count = (queue: Queue<string>, state: "waiting" | "scheduled" | "blocked", many: number): Promise<void> =>
    eventually(`${many} are ${state}`, async () => (await queue.counts())[state] === many);
  async function runAll(queue: Queue<string>, many: number): Promise<string[]> {
    const ran: string[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    await eventually("all have run", () => ran.length === many);
    await worker.stop();
    expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, blocked: 0, running: 0, dead: 0 });
    expect(await stage.valkey.exists(keyOf(queue.name, "stubs"), keyOf(queue.name, "grouped"))).toBe(0);
    return ran;
  }

  test("gives a job that waits other data, in its place among the others", async () => {
    const queue = open("data");
    const [, second] = await queue.addMany(["a", "b", "c"].map((data) => ({ data })));
    await count(queue, "waiting", 3);
    expect(await queue.update(second?.id ?? "", { data: "B" })).toEqual({ updated: true, state: "waiting" });
    expect(await queue.job(second?.id ?? "")).toMatchObject({ state: "waiting", data: "B" });
    const ran = await runAll(queue, 3);
    // On a transactional queue its worker asks the row, and may begin the next one meanwhile.
    expect(transactional ? ran.toSorted() : ran).toEqual(transactional ? ["B", "a", "c"] : ["a", "B", "c"]);
  });

  test("right after the add gives the handler the new data", async () => {
    const queue = open("at-once");
    const { id } = await queue.add("old");
    expect(await queue.update(id, { data: "new" })).toMatchObject({ updated: true });
    expect(await runAll(queue, 1)).toEqual(["new"]);
  });

  test("has a job that waits run later, and one that is scheduled now, at another time, or with other data", async () => {
    const queue = open("times");
    const waits = await queue.add("later");
    await count(queue, "waiting", 1);
    expect(await queue.update(waits.id, { delay: 60_000 })).toEqual({ updated: true, state: "scheduled" });
    const inAMinute = Date.now() + 60_000;
    expect(Math.abs(((await queue.job(waits.id))?.dueAt ?? 0) - inAMinute)).toBeLessThan(30_000);
    expect(await queue.update(waits.id, { runAt: new Date(Date.now() + 3_600_000) })).toEqual({ updated: true, state: "scheduled" });
    expect((await queue.job(waits.id))?.dueAt).toBeGreaterThan(inAMinute + 3_000_000);
    expect(await queue.update(waits.id, { data: "other" })).toEqual({ updated: true, state: "scheduled" });
    expect((await queue.job(waits.id))?.dueAt).toBeGreaterThan(inAMinute + 3_000_000);
    expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 1 });
    expect(await queue.update(waits.id, { delay: 0 })).toEqual({ updated: true, state: "waiting" });
    expect(await queue.counts()).toMatchObject({ waiting: 1, scheduled: 0 });
    expect(await runAll(queue, 1)).toEqual(["other"]);
  });

  test("wakes an idle worker when a job is due earlier than it was", async () => {
    const queue = open("sooner");
    const ran: string[] = [];
    const worker = queue.work(({ data }) => void ran.push(data));
    const { id } = await queue.add("x", { delay: 3_600_000 });
    await count(queue, "scheduled", 1);
    await queue.update(id, { delay: 50 });
    await eventually("it ran", () => ran.length === 1);
    await worker.stop();
  });

  test("puts a job among those of another priority", async () => {
    const queue = open("priorities");
    const jobs = await queue.addMany(["a", "b", "c"].map((data) => ({ data })));
    await queue.add("low", { priority: "low" });
    await count(queue, "waiting", 4);
    expect(await queue.update(jobs[2]?.id ?? "", { priority: "high" })).toEqual({ updated: true, state: "waiting" });
    expect(await queue.job(jobs[2]?.id ?? "")).toMatchObject({ priority: "high", data: "c" });
    expect(await queue.update(jobs[2]?.id ?? "", { data: "C" })).toEqual({ updated: true, state: "waiting" });
    const ran = await runAll(queue, 4);
    expect(ran.toSorted()).toEqual(["C", "a", "b", "low"]);
    if (!transactional) expect(ran).toEqual(["C", "a", "b", "low"]);
  });

  test("deep in a long list moves the one that is meant, and the counts are right", async () => {
    const queue = open("deep");
    const jobs = await queue.addMany(Array.from({ length: 3_000 }, (_, index) => ({ data: String(index) })));
    await count(queue, "waiting", 3_000);
    expect(await queue.update(jobs[1_500]?.id ?? "", { delay: 3_600_000 })).toEqual({ updated: true, state: "scheduled" });
    expect(await queue.update(jobs[1_501]?.id ?? "", { priority: "high", data: "first" })).toEqual({ updated: true, state: "waiting" });
    expect(await queue.counts()).toMatchObject({ waiting: 2_999, scheduled: 1 });
    const ran: string[] = [];
    const worker = queue.work(({ data }) => void ran.push(data), { concurrency: 50 });
    await eventually("the others have run", () => ran.length === 2_999);
    await queue.update(jobs[1_500]?.id ?? "", { delay: 0 });
    await eventually("it ran", () => ran.length === 3_000);
    await worker.stop();
    expect(new Set(ran).size).toBe(3_000);
    // On a transactional queue its worker asks the row before it begins. Its place was the 1,500th.
    expect(ran.indexOf("first")).toBeLessThan(1_000);
    expect(await stage.valkey.exists(keyOf(queue.name, "stubs"))).toBe(0);
  });

  test("of jobs of a group keeps their order and their turns", async () => {
    const queue = open("groups");
    const [first, second, third] = await queue.addMany(["1", "2", "3", "4"].map((data) => ({ data, group: "g" })));
    await count(queue, "blocked", 3);
    expect(await queue.update(first?.id ?? "", { data: "one" })).toEqual({ updated: true, state: "waiting" });
    expect(await queue.update(second?.id ?? "", { data: "two", delay: 30 })).toEqual({ updated: true, state: "blocked" });
    expect(await queue.update(third?.id ?? "", { priority: "high" })).toEqual({ updated: true, state: "blocked" });
    expect(await queue.update(first?.id ?? "", { delay: 50 })).toEqual({ updated: true, state: "scheduled" });
    expect(await runAll(queue, 4)).toEqual(["one", "two", "3", "4"]);
  });

  test("of a debounced job is replaced by the next add, which knows it still", async () => {
    const queue = open("debounce");
    const options = { deduplicate: { key: "k", window: 60_000, keep: "latest" } } as const;
    const { id } = await queue.add("a", options);
    await count(queue, "scheduled", 1);
    expect(await queue.update(id, { data: "b", delay: 30_000 })).toEqual({ updated: true, state: "scheduled" });
    expect(await queue.job(id)).toMatchObject({ data: "b" });
    expect(await queue.add("c", options)).toEqual({ id, added: false });
    expect(await queue.update(id, { data: "d", delay: 0 })).toEqual({ updated: true, state: "waiting" });
    expect(await runAll(queue, 1)).toEqual(["d"]);
    expect(await queue.add("e", options)).toMatchObject({ added: true });
  });

  test("of a job with an id and a key of its own keeps both", async () => {
    const queue = open("own");
    await queue.add("a", { id: "mine", deduplicate: { key: "k" }, delay: 60_000 });
    await count(queue, "scheduled", 1);
    expect(await queue.update("mine", { data: "b", delay: 0 })).toEqual({ updated: true, state: "waiting" });
    expect(await queue.add("c", { id: "mine" })).toEqual({ id: "mine", added: false });
    expect(await queue.add("c", { deduplicate: { key: "k" } })).toEqual({ id: "mine", added: false });
    expect(await runAll(queue, 1)).toEqual(["b"]);
    expect(await queue.add("d", { id: "mine", deduplicate: { key: "k" } })).toEqual({ id: "mine", added: true });
  });

  test("of a tick leaves it the tick that it is", async () => {
    const queue = open("ticks");
    await queue.pause();
    const at: unknown[] = [];
    const worker = queue.work(({ data, schedule }) => void at.push([data, schedule?.name]));
    await queue.schedule("every", { every: 100, data: "tick", limit: 1 });
    await count(queue, "waiting", 1);
    let id = "";
    for await (const job of queue.jobs()) ({ id } = job);
    expect(await queue.update(id, { data: "other" })).toEqual({ updated: true, state: "waiting" });
    await queue.resume();
    await eventually("it ran", () => at.length === 1);
    expect(at).toEqual([["other", "every"]]);
    await worker.stop();
  });

  test("of a job that waits for its next attempt counts for that one, and keeps its history", async () => {
    const queue = open("again");
    const ran: string[] = [];
    const worker = queue.work(({ data, attempt }) => {
      ran.push(`${data}/${attempt}`);
      if (attempt === 1) throw new Error("not yet");
    });
    const { id } = await queue.add("a");
    await count(queue, "scheduled", 1);
    expect(await queue.update(id, { data: 'b"}],' })).toEqual({ updated: true, state: "scheduled" });
    expect((await queue.job(id))?.history).toHaveLength(1);
    expect(await queue.update(id, { delay: 0 })).toMatchObject({ updated: true });
    await eventually("it ran", () => ran.length === 2);
    expect(ran).toEqual(["a/1", 'b"}],/2']);
    await worker.stop();
  });

  test("changes nothing of a job that runs, is dead, has ended or was never there, and says so", async () => {
    const queue = open("others");
    const begun = gate();
    const goOn = gate();
    const ran: string[] = [];
    const worker = queue.work(async ({ data }) => {
      ran.push(data);
      begun.open();
      await goOn.opened;
      if (data === "fails") throw new Error("never");
      if (ran.length === 1) throw new Snooze(1);
    });
    const { id } = await queue.add("snoozes", { keepResult: 60_000 });
    await begun.opened;
    expect(await queue.update(id, { data: "x", delay: 60_000 })).toEqual({ updated: false, state: "running" });
    goOn.open();
    await eventually("it has completed", async () => (await queue.job(id))?.state === "completed");
    expect(ran.filter((data) => data === "x")).toEqual([]);
    expect(await queue.update(id, { data: "x" })).toEqual({ updated: false, state: "completed" });
    const dead = await queue.add("fails", { maxAttempts: 1 });
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    expect(await queue.update(dead.id, { data: "x" })).toEqual({ updated: false, state: "dead" });
    expect(await queue.update("never", { data: "x" })).toEqual({ updated: false, state: "unknown" });
    const cancelled = await queue.add("cancelled", { delay: 60_000 });
    await queue.cancel(cancelled.id);
    expect(await queue.update(cancelled.id, { data: "x" })).toEqual({ updated: false, state: "cancelled" });
    await worker.stop();
  });

  test("refuses bad input before anything is written", async () => {
    const queue = open<unknown>("refused");
    const { id } = await queue.add("as it was", { delay: 60_000 });
    const refused: [unknown, string][] = [
      [{}, "INVALID_OPTION"],
      [undefined, "INVALID_OPTION"],
      [{ delay: 1, runAt: 1 }, "INVALID_OPTION"],
      [{ dealy: 1 }, "INVALID_OPTION"],
      [{ delay: -1 }, "INVALID_OPTION"],
      [{ delay: Number.NaN }, "INVALID_OPTION"],
      [{ delay: undefined }, "INVALID_OPTION"],
      [{ runAt: new Date(Number.NaN) }, "INVALID_OPTION"],
      [{ priority: "urgent" }, "INVALID_OPTION"],
      [{ group: "g" }, "INVALID_OPTION"],
      [{ data: undefined }, "NOT_SERIALIZABLE"],
      [{ data: 1n }, "NOT_SERIALIZABLE"],
      [{ data: "x".repeat(201) }, "PAYLOAD_TOO_LARGE"],
      [{ data: JSON.parse('{"__proto__":1}') as unknown, delay: 5 }, "FORBIDDEN_KEY"],
    ];
    for (const [changes, code] of refused) await expect(queue.update(id, changes as { data: unknown })).rejects.toMatchObject({ code });
    await expect(queue.update("a b", { data: 1 })).rejects.toMatchObject({ code: "INVALID_ID" });
    expect(await queue.job(id)).toMatchObject({ data: "as it was", state: "scheduled" });
  });

  test("checks the data by the schema of the queue", async () => {
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) => (typeof value === "number" ? { value } : { issues: [{ message: "no number" }] }),
        types: undefined as unknown as { input: number; output: number },
      },
    };
    const queue = keyline.queue(`schema-${transactional}`, { schema, transactional: transactional as false });
    const { id } = await queue.add(1, { delay: 60_000 });
    await expect(queue.update(id, { data: "x" as unknown as number })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    expect(await queue.update(id, { data: 2 })).toMatchObject({ updated: true });
    expect(await queue.job(id)).toMatchObject({ data: 2 });
  });
});

test("what another program has added keeps its fields", async () => {
  const queue = keyline.queue("foreign");
  await stage.valkey.lpush(
    keyOf("foreign", "waiting"),
    '{"id":"theirs", "size":12345678901234567890, "data":{"a":[1,"]"]},"more":{"data":1}}',
  );
  expect(await queue.update("theirs", { data: { b: 2 } })).toEqual({ updated: true, state: "waiting" });
  const [raw] = await stage.valkey.lrange(keyOf("foreign", "waiting"), 0, -1);
  expect(JSON.parse(raw ?? "")).toMatchObject({ id: "theirs", data: { b: 2 }, more: { data: 1 } });
});
