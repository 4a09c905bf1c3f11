import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { eventually, gate } from "../../keyline/test/support/stage.ts";
import { ended, hasTerminals, keyline, objects, onTerminal, start, type Ended } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

const leftOut =
  "What only PostgreSQL knows of orders and reviews, such as dead letters, is left out: set DATABASE_URL, or say --postgres URL.";

let shop: Shop;
let env: Readonly<Record<string, string>>;
const { opened, open } = gate();

// Nobody says where PostgreSQL is.
const run = (...args: string[]): Promise<Ended> => keyline(args, { env });

beforeAll(async () => {
  shop = await openShop();
  const { VALKEY_URL = "", KEYLINE_PREFIX = "" } = shop.env;
  env = { VALKEY_URL, KEYLINE_PREFIX };
  const { app } = shop;
  const orders = app.queue<number>("orders", { transactional: true });
  orders.work(() => opened, { concurrency: 1 });
  await orders.add(0, { id: "first", group: "g" });
  await eventually("one runs", async () => (await orders.counts()).running === 1);
  await orders.addMany([{ data: 1 }, { data: 2 }, { data: 3, group: "g" }, { data: 4, delay: 3_600_000 }]);
  await eventually("they are on Valkey", async () => (await orders.counts()).waiting === 2);
  await app.queue("emails").add(1);
  await app.stream<number>("reviews", { transactional: true }).append(1);
  await app.channel("news").list();
  await shop.known();
});
afterAll(async () => {
  open();
  await shop.close();
});

test("status shows all that Valkey knows, and says in one line what is left out and why", async () => {
  const [json, piped, checked, calm] = await Promise.all([
    run("status", "--json"),
    run("status"),
    run("status", "--check", "--json=healthy,leftOut"),
    run("status", "--check", "--json=healthy", "--max-age", "7d", "--prefix", "nobody_uses_it"),
  ]);
  expect(json).toMatchObject({ code: 1, stderr: "" });
  const [snapshot] = objects(json);
  expect(snapshot).toMatchObject({ leftOut, stores: [{ store: "valkey", state: "ok" }] });
  expect(snapshot?.["items"]).toHaveLength(4);
  expect(snapshot?.["items"]).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: "orders", transactional: true, waiting: 3, running: 1, scheduled: 1, workers: 1, isComplete: false }),
      expect.objectContaining({ name: "emails", waiting: 1, isComplete: true }),
      expect.objectContaining({ name: "reviews", kind: "stream", isComplete: false }),
      expect.objectContaining({ name: "news", kind: "channel", isComplete: true }),
    ]),
  );
  expect(piped).toMatchObject({ code: 1, stderr: `${leftOut}\n` });
  // Of the dead Valkey has what the worker wrote down of them, once a minute has begun.
  expect(piped.stdout).toMatch(/^queue\torders\t3\t1\t1\t0?\t\S+Z\t/m);
  // That jobs wait without a worker is worse.
  expect(checked).toEqual({ code: 3, stdout: `${JSON.stringify({ healthy: false, leftOut })}\n`, stderr: "" });
  expect(calm).toEqual({ code: 0, stdout: '{"healthy":true}\n', stderr: "" });
});

test("queues does the same", async () => {
  const [json, piped] = await Promise.all([run("queues", "--json"), run("queues")]);
  const line = leftOut.replace("orders and reviews", "orders");
  expect(json).toMatchObject({ code: 1, stderr: `${line}\n` });
  expect(objects(json)).toMatchObject([
    { name: "emails", transactional: false, waiting: 1, dead: 0 },
    { name: "orders", transactional: true, waiting: 2, running: 1, blocked: 1, scheduled: 1, workers: 1 },
  ]);
  expect([undefined, 0]).toContain(objects(json)[1]?.["dead"]);
  expect(piped).toMatchObject({ code: 1, stderr: `${line}\n` });
});

test.runIf(hasTerminals)("a terminal has the line above the table", async () => {
  const { code, lines } = await onTerminal(["status"], { env, columns: 160 });
  expect(code).toBe(1);
  expect(lines[0]).toMatch(/^Valkey \S+ \d+\.\d ms$/);
  expect(lines[1]).toBe(leftOut);
});

test("what Valkey knows whole is shown as ever", async () => {
  const [workers, groups, limits, rates] = await Promise.all([
    run("workers", "orders", "--json"),
    run("groups", "orders", "--json"),
    run("limits", "orders", "--json"),
    run("rates", "orders", "--minutes", "2", "--json"),
  ]);
  for (const one of [workers, groups, limits, rates]) expect(one).toMatchObject({ code: 0, stderr: "" });
  expect(objects(workers)).toMatchObject([{ pid: process.pid, running: 1, jobs: [{ id: "first" }] }]);
  expect(objects(groups)).toMatchObject([{ name: "g", state: "blocked", waiting: 1 }]);
  expect(objects(rates)).toHaveLength(2);
  const tail = start(["tail", "queue", "orders", "--limit", "1", "--json"], { env });
  const followed = ended(tail);
  // Nobody is told when it listens: jobs are added until it has seen one.
  await eventually("it has seen one", async () => {
    if (tail.exitCode === null) await shop.app.queue<number>("orders", { transactional: true }).add(5, { delay: 3_600_000 });
    return tail.exitCode !== null;
  });
  expect(objects(await followed)).toMatchObject([{ type: "added" }]);
});

test("whatever needs the record is refused with 2 before anything is done", async () => {
  const commands = [
    ["jobs", "orders"],
    ["job", "orders", "first"],
    ["letters", "orders"],
    ["causes", "orders"],
    ["schedules", "orders"],
    ["add", "orders", "1"],
    ["cancel", "orders", "first", "--yes"],
    ["pause", "orders"],
    ["limits", "set", "orders", "--concurrency", "1"],
    ["redrive", "orders", "--all"],
    ["groups", "reviews"],
    ["read", "reviews"],
    ["append", "reviews", "1"],
  ];
  const refused = await Promise.all(commands.map((args) => run(...args, "--json")));
  refused.forEach((one, index) => {
    const what = commands[index]?.includes("reviews") ? "Stream reviews" : "Queue orders";
    expect(one, commands[index]?.join(" ")).toEqual({
      code: 2,
      stdout: "",
      stderr: `${what} is transactional, and this needs its record in PostgreSQL: set DATABASE_URL, or say --postgres URL.\n`,
    });
  });
  expect(await shop.app.queue("orders", { transactional: true }).counts()).toMatchObject({ running: 1, waiting: 2, paused: false });
  expect(objects(await shop.run("audit", "--json"))).toEqual([]);
});
