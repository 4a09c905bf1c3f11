import type { Queue } from "keyline";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { collected } from "../../keyline/test/support/collected.ts";
import { hasTerminals, objects, onTerminal } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

const queueOf = (name: string, transactional: boolean): Queue<string, string, boolean> =>
  transactional ? shop.app.queue<string>(name, { transactional: true, maxAttempts: 1 }) : shop.app.queue<string>(name, { maxAttempts: 1 });

/** At the same time, as they have nothing in common. */
async function ofBothKinds(work: (transactional: boolean) => Promise<void>): Promise<void> {
  await Promise.all([work(false), work(true)]);
}

/** A queue on which these have died, each of the error that it has for data. */
async function withLetters(name: string, errors: readonly string[], transactional: boolean): Promise<void> {
  const queue = queueOf(name, transactional);
  let left = errors.length;
  const worker = queue.work((job: { readonly data: string }) => {
    throw new Error(job.data);
  });
  const dead = new Promise<void>((resolve) => worker.on("dead", () => void (--left === 0 && resolve())));
  await queue.addMany(errors.map((data) => ({ data })));
  await dead;
  await worker.stop();
  await shop.known();
}

test("dead letters are grouped by their causes, put back and removed, on queues of both kinds", async () => {
  const { run } = shop;
  await ofBothKinds(async (transactional) => {
    const name = transactional ? "recorded" : "plain";
    await withLetters(name, ["timeout after 100 ms", "timeout after 250 ms", "no such user", "no such user", "gone"], transactional);
    const queue = queueOf(name, transactional);
    const causes = objects(await run("causes", name, "--json=cause,count"));
    expect(causes.map(({ count }) => count)).toEqual([2, 2, 1]);
    const timeouts = String(causes.find(({ cause }) => String(cause).includes("timeout"))?.["cause"]);
    const [dry, unsure] = await Promise.all([
      run("redrive", name, "--cause", timeouts, "--dry-run", "--json"),
      run("discard", name, "--error", "gone"),
    ]);
    expect(objects(dry)).toEqual([{ queue: name, fit: 2, dryRun: true }]);
    expect(unsure).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining(`Remove 1 dead letter of ${name} for good?`) as string,
    });
    expect((await queue.counts()).dead).toBe(5);
    expect(await run("redrive", name, "nobody", "nowhere")).toEqual({
      code: 1,
      stdout: `Redrove 0 dead letters of ${name}.\n`,
      stderr: "Of those that were named 2 are not there.\n",
    });
    expect(await run("redrive", name, "--cause", timeouts)).toMatchObject({
      code: 0,
      stdout: `Redrove 2 dead letters of ${name}.\n`,
      stderr: "",
    });
    expect((await queue.counts()).dead).toBe(3);
    // Jobs and not elements, of which the relay may have brought a second one before the command's process had noted the first.
    expect(await collected(queue.jobs({ state: "waiting" }))).toHaveLength(2);
    expect(objects(await run("discard", name, "--error", "/NO SUCH/i", "--yes", "--json"))).toEqual([{ queue: name, count: 2 }]);
    expect(objects(await run("discard", name, "--all", "--limit", "1", "--yes", "--json"))).toEqual([{ queue: name, count: 1 }]);
    expect((await queue.counts()).dead).toBe(0);
  });
});

test("acts are in the audit trail before they begin, with who and how many; what is only looked at is not", async () => {
  const { run, app } = shop;
  await withLetters("audited", ["one", "two"], false);
  await run("redrive", "audited", "--error", "one");
  await run("discard", "audited", "--all", "--dry-run");
  await run("pause", "audited");
  await run("jobs", "audited");
  const trail = objects(await run("audit", "--target", "queue:audited", "--json"));
  expect(trail).toMatchObject([
    { action: "pause", target: "queue:audited", count: 1 },
    { action: "redrive", target: "queue:audited", details: { error: "one" }, count: 1 },
  ]);
  expect(trail[0]?.["who"]).toMatch(/^\S+@\S+$/);
  expect(trail[0]?.["finishedAt"]).toEqual(expect.any(Number));
  // No audit, no act.
  await shop.pool.query("ALTER TABLE keyline.audit RENAME TO audit_away");
  const refused = await run("resume", "audited");
  await shop.pool.query("ALTER TABLE keyline.audit_away RENAME TO audit");
  expect(refused.code).toBe(1);
  expect((await app.queue("audited").counts()).paused).toBe(true);
});

test.runIf(hasTerminals)("whoever sits at a terminal is asked before something is removed", async () => {
  await withLetters("asked", ["one"], false);
  const queue = shop.app.queue<string>("asked", { maxAttempts: 1 });
  const no = await onTerminal(["discard", "asked", "--all"], { env: shop.env, answers: ["n"] });
  expect(no.code).toBe(1);
  expect(no.stdout).toMatch(/Remove 1 dead letter of asked for good\? \[y\/N\].*Nothing was done\./s);
  expect((await queue.counts()).dead).toBe(1);
  const yes = await onTerminal(["discard", "asked", "--all"], { env: shop.env, answers: ["y"] });
  expect(yes.code).toBe(0);
  expect(yes.stdout).toMatch(/Discarding [█░]+ 1\/1 .*Discarded 1 dead letter of asked\./s);
  expect((await queue.counts()).dead).toBe(0);
});

test("schedules are listed, run, paused, resumed and removed, on queues of both kinds", async () => {
  const { run, app } = shop;
  await ofBothKinds(async (transactional) => {
    const name = transactional ? "reports-recorded" : "reports";
    const queue = transactional ? app.queue<object>(name, { transactional: true }) : app.queue<object>(name);
    await queue.schedule("nightly", { cron: "0 3 * * *", timezone: "Europe/Berlin", data: { kind: "sales" } });
    await shop.known();
    const list = await run("schedules", name);
    expect(list).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^nightly\t0 3 \* \* \* Europe\/Berlin\t\S+Z\t\t0\t\{"kind":"sales"\}\n$/) as string,
    });
    const ran = objects(await run("schedules", "run", name, "nightly", "--json"));
    expect(ran).toEqual([{ queue: name, schedule: "nightly", action: "run", id: expect.any(String) as string }]);
    expect((await queue.job(String(ran[0]?.["id"])))?.data).toEqual({ kind: "sales" });
    expect(await run("schedules", "pause", name, "nightly")).toMatchObject({ code: 0, stdout: `Paused schedule nightly of ${name}.\n` });
    expect(objects(await run("schedules", "list", name, "--json=name,paused"))).toEqual([{ name: "nightly", paused: true }]);
    expect((await run("schedules", "resume", name, "nightly")).code).toBe(0);
    const [unknown, never, unsure] = await Promise.all([
      run("schedules", "pause", name, "daily"),
      run("schedules", "run", name, "daily"),
      run("schedules", "remove", name, "nightly"),
    ]);
    expect(never).toEqual(unknown);
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining(`Queue ${name} has no schedule daily`) as string });
    expect(unsure).toMatchObject({ code: 2, stderr: expect.stringContaining("say --yes") as string });
    expect(await run("schedules", "remove", name, "nightly", "--yes")).toMatchObject({ code: 0, stderr: "" });
    expect(await run("schedules", name)).toMatchObject({ code: 0, stdout: "" });
  });
});
