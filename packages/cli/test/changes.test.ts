import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { keyline, objects } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

test.each([
  ["plain", false],
  ["recorded", true],
] as const)("a job is changed and promoted on a queue that is %s", async (name, transactional) => {
  const { run, app, env } = shop;
  const queue = transactional ? app.queue(name, { transactional }) : app.queue(name);
  const { id } = await queue.add({ to: "ann" }, { delay: 3_600_000 });
  await shop.known();
  expect(objects(await run("update", name, id, "--data", '{"to":"bob"}', "--priority", "high", "--json"))).toEqual([
    { queue: name, id, updated: true, state: "scheduled" },
  ]);
  expect(await queue.job(id)).toMatchObject({ data: { to: "bob" }, priority: "high" });
  expect(await keyline(["update", name, id, "--data", "-", "--delay", "2h"], { env, input: "7" })).toMatchObject({
    code: 0,
    stdout: `Changed job ${id} of ${name}, which is scheduled.\n`,
  });
  expect((await queue.job(id))?.data).toBe(7);
  expect(await run("promote", name, id)).toMatchObject({ code: 0, stdout: `Job ${id} of ${name} is due now.\n` });
  await expect.poll(async () => (await queue.job(id))?.state, { timeout: 20_000 }).toBe("waiting");
  const refusals = await Promise.all([
    run("promote", name, id),
    run("promote", name, "nobody"),
    run("update", name, "nobody", "--priority", "low"),
    run("update", name, id),
    run("update", name, id, "--delay", "1m", "--at", "2030-01-01"),
    run("update", name, id, "--data", "{"),
  ]);
  expect(refusals.map(({ code }) => code)).toEqual([1, 1, 1, 2, 2, 2]);
  expect(refusals[0].stderr).toBe(`Queue ${name} has no job ${id} that is scheduled: keyline job ${name} ${id}\n`);
  expect(refusals[2].stderr).toBe(`Queue ${name} has no job nobody, and remembers none.\n`);
  expect(refusals[5].stderr).toContain("--data is no JSON");
  const trail = objects(await run("audit", "--target", `queue:${name}`, "--json=action,count,details"));
  expect(trail.filter(({ count }) => count === 1)).toEqual([
    { action: "promote", count: 1, details: { ids: [id] } },
    { action: "update", count: 1, details: { ids: [id], delay: 7_200_000, changesData: true } },
    { action: "update", count: 1, details: { ids: [id], priority: "high", changesData: true } },
  ]);
});

test("a job that waits for a signal gets it", async () => {
  const { run, app } = shop;
  const queue = app.queue<string>("approvals", { transactional: true });
  const answers: unknown[] = [];
  const worker = queue.work(async (job) => void answers.push(await job.signalled("approved")));
  const ended = new Promise<void>((resolve) => worker.on("completed", () => resolve()));
  const { id } = await queue.add("trip");
  await shop.known();
  const [none, plain] = await Promise.all([
    run("signal", "approvals", "nobody", "approved"),
    run("signal", "approvals", id, "approved", "{"),
  ]);
  expect(none).toMatchObject({ code: 1, stderr: "Queue approvals has no job nobody that has not ended.\n" });
  expect(plain.code).toBe(2);
  expect(objects(await run("signal", "approvals", id, "approved", '{"by":"ann"}', "--json"))).toEqual([
    { queue: "approvals", id, signal: "approved", sent: true },
  ]);
  await ended;
  await worker.stop();
  expect(answers).toEqual([{ by: "ann" }]);
});

test("jobs are searched by their data, and dead letters by their error, cause and group", async () => {
  const { run, app } = shop;
  const queue = app.queue<{ to: string }>("searched", {
    transactional: true,
    maxAttempts: 1,
    backoff: { type: "fixed", delay: 3_600_000 },
  });
  const worker = queue.work((job) => {
    throw new Error(job.data.to === "ann" ? "timeout after 100 ms" : "no such user");
  });
  let left = 3;
  const dead = new Promise<void>((resolve) => worker.on("dead", () => void (--left === 0 && resolve())));
  await queue.addMany([{ data: { to: "ann" }, group: "g" }, { data: { to: "bob" } }, { data: { to: "carl" } }]);
  await dead;
  await worker.stop();
  await queue.add({ to: "dora" }, { delay: 3_600_000 });
  // It failed, and waits for its next attempt.
  const again = queue.work(() => Promise.reject(new Error("mailbox of eve is full")), { concurrency: 1 });
  const retried = new Promise<void>((resolve) => again.on("retried", () => resolve()));
  await queue.add({ to: "eve" }, { maxAttempts: 2 });
  await retried;
  await again.stop();
  await shop.known();
  const found = await Promise.all([
    run("jobs", "searched", "--state", "dead", "--contains", "BOB", "--json=data"),
    run("jobs", "searched", "--state", "scheduled", "--contains", "dora", "--json=data"),
    run("jobs", "searched", "--state", "scheduled", "--error", "mailbox", "--json=data,error"),
    run("jobs", "searched", "--state", "dead", "--error", "no such", "--contains", "carl", "--json=data"),
    run("letters", "searched", "--error", "/TIMEOUT/i", "--json=data,reason"),
    run("letters", "searched", "--error", "no such", "--json=data"),
    run("letters", "searched", "--group", "g", "--after", "1h", "--json=group"),
    run("letters", "searched", "--limit", "1", "--json=data"),
    run("letters", "searched"),
  ]);
  expect(found.map(({ code }) => code)).toEqual(Array(9).fill(0));
  expect(found.slice(0, 8).map(objects)).toEqual([
    [{ data: { to: "bob" } }],
    [{ data: { to: "dora" } }],
    [{ data: { to: "eve" }, error: "Error: mailbox of eve is full" }],
    [{ data: { to: "carl" } }],
    [{ data: { to: "ann" }, reason: "Error: timeout after 100 ms" }],
    [{ data: { to: "carl" } }, { data: { to: "bob" } }],
    [{ group: "g" }],
    [{ data: { to: "carl" } }],
  ]);
  expect(found[8].stdout).toMatch(/^[^\t]+\t\S+Z\t1\t\tError: no such user\t\{"to":"carl"\}\n(?:.*\n){2}$/);
  const [open, running, plain] = await Promise.all([
    run("jobs", "searched", "--contains", "x"),
    run("jobs", "searched", "--state", "running", "--error", "x"),
    run("letters", "searched", "--error", "/(/"),
  ]);
  expect(open).toMatchObject({ code: 2, stderr: "--contains goes with --state dead or --state scheduled.\n" });
  expect(running).toMatchObject({ code: 2, stderr: "--error goes with --state dead or --state scheduled.\n" });
  expect(plain.code).toBe(2);
});
