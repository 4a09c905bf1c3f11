import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import {
  cancelAnswer,
  countAnswer,
  familyView,
  jobsPage,
  jobView,
  promoteAnswer,
  signalAnswer,
  updateAnswer,
  type JobsPage,
} from "../../src/api/job.ts";
import { openConsole, type ConsoleServer } from "../support/console-server.ts";
import { valid } from "../support/valid.ts";

let stage: Stage;
let keyline: Keyline;
let console: ConsoleServer;
beforeAll(async () => {
  stage = await openStage();
  keyline = stage.keyline();
  await keyline.migrate();
  console = await openConsole({ keyline: stage.keyline(), redact: ["email"] });
});
afterAll(async () => {
  await console.close();
  await stage.close();
});

async function known(name: string): Promise<void> {
  await eventually("the console knows it", async () => (await console.get(`api/queues/${name}`)).status === 200);
}

describe.each([{ transactional: false }, { transactional: true }])("jobs (%j)", ({ transactional }) => {
  const open = (name: string) =>
    keyline.queue(`${name}-${transactional}`, { transactional, maxAttempts: 2, backoff: { type: "fixed", delay: 600_000 } } as {
      transactional: false;
    });

  test("are listed by state and by group, page by page", async () => {
    const queue = open("listed");
    await queue.addMany([
      ...Array.from({ length: 5 }, (_, index) => ({ data: { index, password: "p" } })),
      { data: 1, delay: 600_000 },
      { data: 2, group: "g" },
    ]);
    await known(queue.name);
    await eventually("all are there", async () => (await queue.counts()).waiting === 6);
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page: JobsPage = valid(jobsPage, await console.get(`api/queues/${queue.name}/jobs?limit=2${cursor && `&cursor=${cursor}`}`));
      expect(page.jobs.length).toBeLessThanOrEqual(2);
      seen.push(...page.jobs.map(({ id }) => id));
      for (const { payload } of page.jobs) expect(payload?.preview).not.toContain('"p"');
      cursor = page.next;
    }
    expect(new Set(seen).size).toBe(7);
    expect(valid(jobsPage, await console.get(`api/queues/${queue.name}/jobs?state=scheduled`)).jobs).toHaveLength(1);
    expect(valid(jobsPage, await console.get(`api/queues/${queue.name}/jobs?group=g`)).jobs).toMatchObject([{ group: "g" }]);
    for (const query of ["state=gone", "limit=0", "limit=1000", "cursor=x"]) {
      expect((await console.get(`api/queues/${queue.name}/jobs?${query}`)).status, query).toBe(400);
    }
  });

  test("are shown whole, with their attempts, and without what is hidden, also in errors and stacks", async () => {
    const queue = open("shown");
    const worker = queue.work(() => {
      throw new Error("no answer from smtp://ann:s3cret@mail, token=abc123");
    });
    const { id } = await queue.add({ to: "a", email: "ann@example.com", html: "<script>alert(1)</script>" });
    await known(queue.name);
    await eventually("it failed once", async () => (await queue.job(id))?.attempts === 1);
    const answer = await console.get(`api/queues/${queue.name}/jobs/${id}`);
    const view = valid(jobView, answer);
    expect(view).toMatchObject({
      id,
      queue: queue.name,
      state: "scheduled",
      attempts: 1,
      payload: { data: { to: "a", email: "[hidden]", html: "<script>alert(1)</script>" }, isWhole: true },
      can: { cancel: true, promote: true, update: true, redrive: false },
    });
    expect(view.history).toMatchObject([{ error: expect.stringContaining("no answer"), stack: expect.stringContaining("jobs.test.ts") }]);
    const found = `api/queues/${queue.name}/jobs?state=scheduled&error=`;
    expect(valid(jobsPage, await console.get(`${found}no%20answer`)).jobs).toMatchObject([{ id, error: view.error }]);
    expect(valid(jobsPage, await console.get(`${found}other`)).jobs).toEqual([]);
    expect((await console.get(`api/queues/${queue.name}/jobs?error=no`)).body).toMatchObject({ status: 400, code: "INVALID_OPTION" });
    expect(view.timeline.map(({ what }) => what)).toEqual(["added", "started", "failed", "due"]);
    expect(valid(promoteAnswer, await console.post(`api/queues/${queue.name}/jobs/${id}/promote`)).promoted).toBe(true);
    await eventually("it is dead", async () => (await queue.counts()).dead === 1);
    await worker.stop();
    const dead = await console.get(`api/queues/${queue.name}/jobs/${id}`);
    expect(valid(jobView, dead)).toMatchObject({ state: "dead", can: { redrive: true, discard: true, cancel: false } });
    expect(valid(jobView, dead).stack).toContain("at ");
    for (const { text, headers } of [answer, dead]) {
      for (const secret of ["s3cret", "abc123", "ann@example.com"]) expect(text).not.toContain(secret);
      expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
    expect(valid(countAnswer, await console.post(`api/queues/${queue.name}/jobs/${id}/redrive`)).count).toBe(1);
    await eventually("it waits again", async () => (await queue.job(id))?.state === "waiting");
    expect(valid(cancelAnswer, await console.post(`api/queues/${queue.name}/jobs/${id}/cancel`)).was).toBe("waiting");
  });

  test("of a mebibyte are shown whole alone, and by their beginning in lists", async () => {
    const queue = open("large");
    const { id } = await queue.add({ text: "x".repeat(1_048_000) });
    await queue.add({ text: "y".repeat(1_048_000) });
    await known(queue.name);
    await eventually("both are there", async () => (await queue.counts()).waiting === 2);
    const first = valid(jobsPage, await console.get(`api/queues/${queue.name}/jobs`));
    expect(first.jobs).toHaveLength(1);
    expect(first.jobs[0]?.payload).toMatchObject({ data: null, isWhole: false, bytes: 1_048_011 });
    expect(valid(jobsPage, await console.get(`api/queues/${queue.name}/jobs?cursor=${first.next}`)).jobs).toHaveLength(1);
    const view = valid(jobView, await console.get(`api/queues/${queue.name}/jobs/${id}`));
    expect(view.payload?.data).toEqual({ text: "x".repeat(1_048_000) });
    const updated = await console.post(`api/queues/${queue.name}/jobs/${id}/update`, { data: { text: "z".repeat(1_040_000) } });
    expect(valid(updateAnswer, updated).updated).toBe(true);
  });

  test("are changed, with what the page did not see left as it was", async () => {
    const queue = open("changed");
    const { id } = await queue.add({ to: "a", email: "ann@example.com" }, { delay: 600_000 });
    await known(queue.name);
    const path = `api/queues/${queue.name}/jobs/${id}/update`;
    expect(valid(updateAnswer, await console.post(path, { data: { to: "b", email: "[hidden]" }, priority: "high" }))).toMatchObject({
      updated: true,
    });
    expect((await queue.job(id))?.data).toEqual({ to: "b", email: "ann@example.com" });
    expect((await console.post(path, { data: { to: "[hidden]x" } })).body).toMatchObject({ status: 422, code: "HIDDEN_VALUE" });
    for (const body of [{}, { delay: -1 }, { state: "dead" }, null])
      expect((await console.post(path, body)).status, JSON.stringify(body)).toBe(400);
    expect((await console.post(path, { delay: 1, runAt: 1 })).body).toMatchObject({ status: 400, code: "INVALID_OPTION" });
  });

  test("that there are not are told of, and acts on them do nothing", async () => {
    const queue = open("none");
    await queue.add(1);
    await known(queue.name);
    expect((await console.get(`api/queues/${queue.name}/jobs/gone`)).body).toMatchObject({ status: 404, code: "JOB_UNKNOWN" });
    expect((await console.get(`api/queues/${queue.name}/jobs/gone/family`)).status).toBe(404);
    expect(valid(cancelAnswer, await console.post(`api/queues/${queue.name}/jobs/gone/cancel`)).was).toBe("unknown");
    expect((await console.get(`api/queues/${queue.name}/jobs/a%20b`)).body).toMatchObject({ status: 400, code: "INVALID_ID" });
  });

  test("have a family around them", async () => {
    const children = open("children");
    const parents = open("parents");
    const { id } = await parents.add("parent", { children: [1, 2, 3].map((data) => ({ queue: children, data })) });
    await known(parents.name);
    const view = valid(jobView, await console.get(`api/queues/${parents.name}/jobs/${id}`));
    expect(view.children).toMatchObject({ total: 3, open: 3 });
    const family = valid(familyView, await console.get(`api/queues/${parents.name}/jobs/${id}/family`));
    expect(family.above).toEqual([]);
    expect(family.node.children.map(({ queue }) => queue)).toEqual([children.name, children.name, children.name]);
    const child = family.node.children[0]?.id ?? "";
    await known(children.name);
    const below = valid(familyView, await console.get(`api/queues/${children.name}/jobs/${child}/family`));
    expect(below.above).toEqual([{ queue: parents.name, id }]);
    const short = valid(familyView, await console.get(`api/queues/${parents.name}/jobs/${id}/family?limit=2`));
    expect(short.node.children).toHaveLength(2);
    const rest = valid(familyView, await console.get(`api/queues/${parents.name}/jobs/${id}/family?limit=2&cursor=${short.node.next}`));
    expect(rest.node.children).toHaveLength(1);
  });
});

test("a job that waits for a signal is shown with its steps, and gets one", async () => {
  const queue = keyline.queue<number>("signalled", { transactional: true });
  const worker = queue.work(async (job, { step }) => {
    await step("login", async () => ({ token: "t", user: "ann" }));
    return job.signalled("approved");
  });
  const { id } = await queue.add(1);
  await known("signalled");
  await eventually("it waits", async () => (await queue.job(id))?.state === "parked");
  const view = valid(jobView, await console.get(`api/queues/signalled/jobs/${id}`));
  expect(view.steps[0]).toMatchObject({ name: "login", kind: "step", outcome: "done", value: { token: "[hidden]", user: "ann" } });
  expect(view.can).toMatchObject({ signal: true, update: false });
  const path = `api/queues/signalled/jobs/${id}/signal`;
  expect(valid(signalAnswer, await console.post(path, { name: "approved", data: { by: "bob" } })).sent).toBe(true);
  await eventually("it has ended", async () => ["completed", undefined].includes((await queue.job(id))?.state));
  expect(valid(signalAnswer, await console.post(path, { name: "approved" })).sent).toBe(false);
  await worker.stop();
});

test("a search that ends before it has looked at all has a next page, also where it has found nothing", async () => {
  const queue = keyline.queue<number>("long-search", { transactional: true });
  await queue.add(1, { delay: 600_000 });
  await known(queue.name);
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, last_error)
      SELECT $2, 'job-' || lpad(n::text, 6, '0'), to_json(n), 'dead', CASE WHEN n = $1 THEN 'needle' ELSE 'hay' END FROM generate_series(1, $1::integer) AS n`,
    [101_000, queue.name],
  );
  const search = `api/queues/${queue.name}/jobs?state=dead&error=needle`;
  const first: JobsPage = valid(jobsPage, await console.get(search));
  expect(first).toMatchObject({ jobs: [], next: expect.any(String) as string });
  const second: JobsPage = valid(jobsPage, await console.get(`${search}&cursor=${first.next}`));
  expect(second).toMatchObject({ jobs: [{ id: "job-101000" }], next: null });
}, 120_000);
