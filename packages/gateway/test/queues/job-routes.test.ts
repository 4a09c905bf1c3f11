import { Discard, type Keyline, type Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { StandaloneGateway } from "../../src/index.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { bearer, openGateway, request, signToken } from "../support/gateway.ts";

let stage: Stage;
let keyline: Keyline;
let gateway: StandaloneGateway;
let headers: Record<string, string>;
const backoff = (): number => 60_000;
const openRecorded = <Data>() => keyline.queue<Data>("recorded", { transactional: true, backoff });

beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  const queues = [
    keyline.queue("plain", { backoff, maxPayloadBytes: 100_000 }),
    openRecorded(),
    keyline.queue("events"),
    keyline.queue<string>("large"),
    keyline.queue("searched", { transactional: true }),
  ];
  gateway = await openGateway({ keyline, queues, limits: { requests: { max: 10_000, perMs: 60_000 } } });
  const names = ["plain", "recorded", "events", "large", "searched", "nowhere"];
  headers = bearer(await signToken({ jobs: { see: names, change: names } }));
});
afterAll(async () => {
  await gateway.close();
  await stage.close();
});

const get = (path: string, more: Record<string, string> = headers) => request(`${gateway.url}/v1/queues/${path}`, { headers: more });
const post = (path: string, body?: unknown, more: Record<string, string> = headers) =>
  request(`${gateway.url}/v1/queues/${path}`, { method: "POST", headers: more, ...(body !== undefined && { body }) });

describe.each(["plain", "recorded"])("a job of the queue %s", (name) => {
  const queue = (): Queue<unknown> => keyline.queue(name);

  test("is shown, changed, promoted and cancelled", async () => {
    const { id } = await queue().add({ to: "a" }, { delay: 60_000 });
    await eventually("it is there", async () => (await queue().counts()).scheduled === 1);
    const path = `${name}/jobs/${id}`;
    expect(await get(path)).toMatchObject({
      status: 200,
      body: { id, state: "scheduled", data: { to: "a" }, attempts: 0, priority: "normal", history: [], dueAt: expect.any(Number) },
    });
    const changes = { data: { to: "b" }, runAt: Date.now() + 90_000, priority: "high" };
    expect(await post(`${path}/update`, changes)).toMatchObject({ status: 200, body: { updated: true, state: "scheduled" } });
    expect(await get(path)).toMatchObject({ body: { data: { to: "b" }, priority: "high" } });
    expect(await post(`${path}/promote`)).toMatchObject({ status: 200, body: { promoted: true } });
    expect(await post(`${path}/promote`)).toMatchObject({ status: 200, body: { promoted: false } });
    expect(await get(path)).toMatchObject({ body: { state: "waiting" } });
    expect(await post(`${path}/cancel`)).toMatchObject({ status: 200, body: { was: "waiting" } });
    expect(await get(path)).toMatchObject({ status: 200, body: { id, state: "cancelled" } });
    expect(await post(`${path}/update`, { data: 1 })).toMatchObject({ status: 200, body: { updated: false, state: "cancelled" } });
    expect(await post(`${path}/cancel`)).toMatchObject({ status: 200, body: { was: "unknown" } });
  });

  test("is listed, page by page, by its state and its group", async () => {
    await queue().addMany(Array.from({ length: 7 }, (_, data) => ({ data, group: `g${data % 2}`, delay: 60_000 })));
    await eventually("all are there", async () => {
      const { scheduled, blocked } = await queue().counts();
      return scheduled === 2 && blocked === 5;
    });
    const seen: unknown[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const { status, body } = await get(`${name}/jobs?limit=3${cursor === undefined ? "" : `&cursor=${cursor}`}`);
      expect(status).toBe(200);
      const page = body as unknown as { readonly jobs: readonly { readonly data: unknown }[]; readonly next: string | null };
      expect(page.jobs.length).toBeLessThanOrEqual(3);
      seen.push(...page.jobs.map(({ data }) => data));
      cursor = page.next;
    }
    expect(new Set(seen)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
    const dataOf = ({ body }: { readonly body: object }): Set<unknown> =>
      new Set((body as { jobs: { data: unknown }[] }).jobs.map(({ data }) => data));
    expect(dataOf(await get(`${name}/jobs?state=scheduled`))).toEqual(new Set([0, 1]));
    expect(dataOf(await get(`${name}/jobs?group=g1`))).toEqual(new Set([1, 3, 5]));
    await queue().cancel({ all: true });
  });

  test("is found by a text in what it failed with, as long as it is dead or waits for its next attempt", async () => {
    const worker = queue().work(({ data }) => {
      throw data === "gone" ? new Discard("no such mailbox: 7 % full") : new Error(`timeout of ${String(data)}`);
    });
    await queue().addMany(["gone", "a", "b"].map((data) => ({ data })));
    await eventually("all have failed", async () => {
      const { dead, scheduled } = await queue().counts();
      return dead === 1 && scheduled === 2;
    });
    await worker.stop();
    const found = async (query: string): Promise<string[]> => {
      const { status, body } = await get(`${name}/jobs?${query}`);
      expect(status).toBe(200);
      return (body as unknown as { jobs: { data: string }[] }).jobs.map(({ data }) => data).toSorted();
    };
    expect(await found("state=scheduled&error=timeout")).toEqual(["a", "b"]);
    expect(await found("state=scheduled&error=timeout%20of%20b")).toEqual(["b"]);
    expect(await found("state=scheduled&error=mailbox")).toEqual([]);
    expect(await found("state=dead&error=7%20%25%20full")).toEqual(["gone"]);
    expect(await found("state=dead&error=timeout")).toEqual([]);
    const { body } = await get(`${name}/jobs?state=scheduled&error=timeout&limit=1`);
    const { jobs, next } = body as unknown as { jobs: { data: string }[]; next: string };
    const behind = await found(`state=scheduled&error=timeout&limit=1&cursor=${next}`);
    expect(new Set([...jobs.map(({ data }) => data), ...behind])).toEqual(new Set(["a", "b"]));
    if (name === "recorded") {
      expect(await found("state=scheduled&contains=B")).toEqual(["b"]);
      expect(await found("state=scheduled&contains=b&error=of%20a")).toEqual([]);
    } else {
      expect(await get(`${name}/jobs?state=scheduled&contains=b`)).toMatchObject({ status: 400, body: { code: "NOT_TRANSACTIONAL" } });
    }
    await queue().cancel({ all: true });
    await queue().discard({ error: "mailbox" });
  });

  test.each([
    ["an error of a state that has none", () => get(`${name}/jobs?state=waiting&error=a`), 400, "INVALID_OPTION"],
    ["an error of any state", () => get(`${name}/jobs?error=a`), 400, "INVALID_OPTION"],
    ["an empty error", () => get(`${name}/jobs?state=dead&error=`), 400, "INVALID_OPTION"],
    ["an error that is too long", () => get(`${name}/jobs?state=dead&error=${"x".repeat(1_001)}`), 400, "INVALID_OPTION"],
    ["an error that no database takes", () => get(`${name}/jobs?state=dead&error=%00`), 400, "INVALID_OPTION"],
    ["two errors", () => get(`${name}/jobs?state=dead&error=a&error=b`), 400, "INVALID_REQUEST"],
    ["an empty text", () => get(`${name}/jobs?state=dead&contains=`), 400, "INVALID_OPTION"],
    ["a text in jobs that wait", () => get(`${name}/jobs?state=waiting&contains=a`), 400, "INVALID_OPTION"],
    ["a job that is not there", () => get(`${name}/jobs/never`), 404, "JOB_UNKNOWN"],
    ["an id that is none", () => get(`${name}/jobs/a%20b`), 400, "INVALID_ID"],
    ["a queue that is not there", () => get("nowhere/jobs/never"), 404, "UNKNOWN_QUEUE"],
    ["a state that is none", () => get(`${name}/jobs?state=gone`), 400, "INVALID_REQUEST"],
    ["too many at once", () => get(`${name}/jobs?limit=201`), 400, "INVALID_REQUEST"],
    ["a cursor that is none", () => get(`${name}/jobs?cursor=nonsense`), 400, "INVALID_CURSOR"],
    ["nothing to change", () => post(`${name}/jobs/never/update`, {}), 400, "INVALID_OPTION"],
    ["a delay and a time", () => post(`${name}/jobs/never/update`, { delay: 1, runAt: 1 }), 400, "INVALID_OPTION"],
    ["an unknown change", () => post(`${name}/jobs/never/update`, { group: "g" }), 400, "INVALID_REQUEST"],
    ["a negative delay", () => post(`${name}/jobs/never/update`, { delay: -1 }), 400, "INVALID_OPTION"],
    ["a key that pollutes prototypes", () => post(`${name}/jobs/never/update`, '{"data":{"__proto__":{"a":1}}}'), 400, "FORBIDDEN_KEY"],
    [
      "a body of 10,000 levels",
      () => post(`${name}/jobs/never/update`, `{"data":${"[".repeat(9_999)}${"]".repeat(9_999)}}`),
      400,
      "NESTED_TOO_DEEPLY",
    ],
    [
      "a body that is too large",
      () => post(`${name}/jobs/never/signal`, `{"name":"n","data":"${"x".repeat(300_000)}"}`),
      413,
      "BODY_TOO_LARGE",
    ],
    ["a body that is no JSON", () => post(`${name}/jobs/never/update`, "{"), 400, "INVALID_JSON"],
    ["a signal without a name", () => post(`${name}/jobs/never/signal`, { data: 1 }), 400, "INVALID_REQUEST"],
    ["to cancel an id that is none", () => post(`${name}/jobs/%00/cancel`), 400, "INVALID_ID"],
    ["to promote an id that is none", () => post(`${name}/jobs/${"x".repeat(99)}%22/promote`), 400, "INVALID_ID"],
  ])("refuses %s", async (_, ask, status, code) => {
    expect(await ask()).toMatchObject({ status, body: { code } });
  });
});

test("a page of large jobs ends earlier, and the next one goes on behind it", async () => {
  const queue = keyline.queue<string>("large");
  await queue.addMany(Array.from({ length: 30 }, (_, index) => ({ data: `${index} ${"x".repeat(90_000)}` })));
  let count = 0;
  for (let cursor = ""; ;) {
    const { body } = await get(`large/jobs?limit=200${cursor && `&cursor=${cursor}`}`);
    const page = body as unknown as { readonly jobs: readonly object[]; readonly next: string | null };
    expect(page.jobs.length).toBeLessThan(15);
    count += page.jobs.length;
    if (page.next === null) break;
    cursor = page.next;
  }
  expect(count).toBe(30);
});

test("a signal reaches the job that waits for it; a plain queue has none", async () => {
  const queue = openRecorded<number>();
  const got = Promise.withResolvers<unknown>();
  const worker = queue.work(async (job) => got.resolve(await job.signalled("approved")));
  const { id } = await queue.add(1);
  expect(await post(`recorded/jobs/${id}/signal`, { name: "approved", data: { by: "ann" } })).toMatchObject({
    status: 200,
    body: { sent: true },
  });
  expect(await got.promise).toEqual({ by: "ann" });
  expect(await post("recorded/jobs/never/signal", { name: "approved" })).toMatchObject({ status: 200, body: { sent: false } });
  expect(await post("plain/jobs/never/signal", { name: "approved" })).toMatchObject({ status: 400, body: { code: "NOT_TRANSACTIONAL" } });
  await worker.stop();
});

test("who may add to a queue may neither see its jobs nor change them, and who may see them may not change them", async () => {
  const { id } = await keyline.queue("plain").add("private", { delay: 60_000 });
  const adding = bearer(await signToken({ queues: ["plain"] }));
  const seeing = bearer(await signToken({ jobs: { see: ["plain"] } }));
  const reads = [`plain/jobs`, `plain/jobs/${id}`, "plain/events"];
  const changes = ["cancel", "promote", "update", "signal"].map((what) => `plain/jobs/${id}/${what}`);
  for (const path of reads) {
    expect(await get(path, {})).toMatchObject({ status: 401, body: { code: "TOKEN_MISSING" } });
    expect(await get(path, adding)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
  }
  for (const path of changes) {
    const body = { data: 1, name: "x" };
    expect(await post(path, path.endsWith("e") || path.endsWith("l") ? body : undefined, {})).toMatchObject({ status: expect.any(Number) });
    for (const who of [adding, seeing]) {
      const answer = await post(path, path.endsWith("update") ? { data: 1 } : path.endsWith("signal") ? { name: "x" } : undefined, who);
      expect(answer).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    }
  }
  expect(await get("plain/jobs", seeing)).toMatchObject({ status: 200 });
  expect(await keyline.queue("plain").job(id)).toMatchObject({ state: "scheduled", data: "private" });
  await keyline.queue("plain").cancel(id);
});

test("what becomes of jobs is followed as an event stream, and resumed by its last id", async () => {
  const queue = keyline.queue("events");
  const url = `${gateway.url}/v1/queues/events/events`;
  const reader = await EventSourceReader.open(url, headers);
  await eventually(
    "somebody is known to follow",
    async () => (await stage.valkey.hget(`${stage.prefix}:{events}:feed:state`, "ready")) === "1",
  );
  const worker = queue.work((job) => job.progress({ done: 1 }));
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const { id } = await queue.add(1);
  const [completed] = await reader.receive("completed");
  expect(completed?.data).toMatchObject({ type: "completed", id, attempt: 1, at: expect.any(Number) });
  expect((await reader.receive("progress"))[0]?.data).toMatchObject({ id, progress: { done: 1 } });
  const last = reader.lastEventId;
  expect(last).toMatch(/^\d+\.\d+$/);
  reader.close();
  const second = await queue.add(2);
  const again = await EventSourceReader.open(url, { ...headers, "last-event-id": last });
  expect((await again.receive("completed"))[0]?.data).toMatchObject({ id: second.id });
  again.close();
  await worker.stop();
});

test("a place in the events that is none is refused, and told as a gap to an EventSource that shows its last id", async () => {
  expect(await get("events/events?since=nonsense")).toMatchObject({ status: 400, body: { code: "INVALID_CURSOR" } });
  const accept = "text/event-stream";
  const reader = await EventSourceReader.open(`${gateway.url}/v1/queues/events/events`, {
    ...headers,
    accept,
    "last-event-id": "nonsense",
  });
  expect((await reader.receive("gap"))[0]?.data).toEqual({ reason: "lost", missed: null });
  reader.close();
});

test("tells what a job has done and why it is dead, without what steps returned and without a stack", async () => {
  const queue = openRecorded<number>();
  const worker = queue.work(async (_job, { step }) => {
    await step("pay", () => Promise.resolve("a secret"));
    throw new Discard("it was refused");
  });
  const { id } = await queue.add(1);
  await eventually("it is dead", async () => (await queue.job(id))?.state === "dead");
  await worker.stop();
  const inside = await queue.job(id);
  expect(inside).toMatchObject({ stack: expect.any(String), steps: [{ value: "a secret" }] });
  const { body } = await get(`recorded/jobs/${id}`);
  expect(body).toMatchObject({ state: "dead", error: "Discard: it was refused", steps: [{ name: "pay", kind: "step", outcome: "done" }] });
  const page = await get("recorded/jobs?state=dead");
  expect(JSON.stringify([body, page.body])).not.toMatch(/a secret|"stack"|"value"/);
  const { paths } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as {
    readonly paths: Record<
      string,
      {
        readonly get: {
          readonly responses: Record<string, { readonly content: Record<string, { readonly schema: { readonly properties: object } }> }>;
        };
      }
    >;
  };
  const described = paths["/v1/queues/{queue}/jobs/{id}"]?.get.responses["200"]?.content["application/json"]?.schema.properties ?? {};
  expect(Object.keys(described)).toEqual(expect.arrayContaining(Object.keys(body)));
});

test("a search that ends before it has looked at all has a next page, also where it has found nothing", async () => {
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, last_error)
      SELECT 'searched', 'job-' || lpad(n::text, 6, '0'), to_json(n), 'dead', CASE WHEN n = $1 THEN 'needle' ELSE 'hay' END FROM generate_series(1, $1::integer) AS n`,
    [101_000],
  );
  const search = "searched/jobs?state=dead&error=needle";
  const first = await get(search);
  expect(first).toMatchObject({ status: 200, body: { jobs: [], next: expect.any(String) as string } });
  const { next } = first.body as unknown as { readonly next: string };
  expect(await get(`${search}&cursor=${next}`)).toMatchObject({ status: 200, body: { jobs: [{ data: 101_000 }], next: null } });
}, 120_000);
