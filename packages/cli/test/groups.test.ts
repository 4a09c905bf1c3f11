import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { gate } from "../../keyline/test/support/stage.ts";
import { hasTerminals, objects, onTerminal } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

test("groups of a queue are listed as those of a stream are, and where a name has both it has to be said which", async () => {
  const { run, app } = shop;
  const queue = app.queue<number>("calls");
  const { opened, open } = gate();
  const worker = queue.work(() => opened);
  const first = await queue.add(1, { group: "a" });
  await queue.addMany([
    { data: 2, group: "a" },
    { data: 3, group: "b" },
  ]);
  await queue.pause({ group: "b" });
  const stream = app.stream<number>("calls");
  await stream.append(1);
  const consumer = stream.consume("mailer", () => undefined);
  await expect.poll(async () => (await stream.groups()).length, { timeout: 20_000 }).toBe(1);
  await app.queue("emails").add(1, { group: "customer-7" });
  await shop.known();

  const [both, ofQueue, ofStream, blocked, alone, limited, unknown, wrong, twice] = await Promise.all([
    run("groups", "calls"),
    run("groups", "calls", "--queue", "--json"),
    run("groups", "calls", "--stream", "--json=name"),
    run("groups", "calls", "--queue", "--state", "blocked", "--json=name"),
    run("groups", "emails"),
    run("groups", "calls", "--queue", "--limit", "1", "--json=name,cursor"),
    run("groups", "cals"),
    run("groups", "calls", "--stream", "--state", "blocked"),
    run("groups", "calls", "--stream", "--queue"),
  ]);
  expect(both).toEqual({ code: 2, stdout: "", stderr: "There is a queue calls, and a stream calls: say --queue or --stream.\n" });
  expect(objects(ofQueue).toSorted((one, other) => (String(one["name"]) < String(other["name"]) ? -1 : 1))).toMatchObject([
    { name: "a", state: "blocked", waiting: 1, blockedBy: first.id },
    { name: "b", state: "paused" },
  ]);
  expect(objects(ofStream)).toEqual([{ name: "mailer" }]);
  expect(objects(blocked)).toEqual([{ name: "a" }]);
  expect(alone).toMatchObject({ code: 0, stdout: expect.stringMatching(/^customer-7\t/) as string });
  const [one] = objects(limited);
  const rest = objects(await run("groups", "calls", "--queue", "--cursor", String(one?.["cursor"]), "--json=name"));
  expect([one?.["name"], ...rest.map(({ name }) => name)]).toEqual(expect.arrayContaining(["a", "b"]));
  expect(rest).toHaveLength(1);
  expect(unknown).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("There is no stream or queue cals. Did you mean calls?") as string,
  });
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("--state and --cursor are for groups of a queue") as string });
  expect(twice.code).toBe(2);
  const consumers = objects(await run("groups", "consumers", "calls", "mailer", "--json=pid"));
  expect(consumers).toEqual([{ pid: process.pid }]);
  open();
  await Promise.all([worker.stop(), consumer.stop()]);
});

test.runIf(hasTerminals)("whoever resets or removes a group types its name", async () => {
  const { app, env, run } = shop;
  const stream = app.stream<number>("events");
  await stream.appendMany([1, 2, 3]);
  const consumer = stream.consume("mailer", () => undefined, { from: "-" });
  const group = stream.group("mailer");
  await expect.poll(async () => (await stream.groups())[0]?.lag, { timeout: 20_000 }).toBe(0);
  await consumer.stop();
  await shop.known();
  const reset = ["groups", "reset", "events", "mailer", "start"];
  const no = await onTerminal(reset, { env, answers: ["y"] });
  expect(no.code).toBe(1);
  expect(no.stdout).toMatch(/Let group mailer of events go on at start\?\r?\nType mailer to go on: .*Nothing was done\./s);
  expect((await group.status()).lag).toBe(0);
  const yes = await onTerminal(reset, { env, answers: ["mailer"] });
  expect(yes).toMatchObject({ code: 0 });
  expect((await group.status()).lag).toBe(3);
  const stopped = await onTerminal(["groups", "remove", "events", "mailer"], { env, answers: ["\u0003"] });
  expect(stopped.code).toBe(1);
  expect(stopped.stdout).toContain("Nothing was done.");
  expect(await run("groups", "remove", "events", "mailr", "--yes")).toEqual({
    code: 2,
    stdout: "",
    stderr: "Stream events has no group mailr. Did you mean mailer? There are: mailer.\n",
  });
  const removed = await onTerminal(["groups", "remove", "events", "mailer"], { env, answers: ["mailer"] });
  expect(removed.code).toBe(0);
  expect(await stream.groups()).toEqual([]);
});

test("channels are listed with who listens and who is there, and what they keep is read", async () => {
  const { app, run } = shop;
  const news = app.channel<object>("news", { history: { size: 10 } });
  await news.list();
  const subscription = news.subscribe(() => undefined);
  await subscription.ready;
  const ann = await news.presence.enter("ann", { info: { name: "Ann" } });
  await news.publish({ n: 1 });
  await news.publish({ n: 2 });
  await shop.known();
  const [channels, presence, nobody, history, newest] = await Promise.all([
    run("channels", "--json=name,hasHistory,listeners"),
    run("presence", "news", "--json=member,info"),
    run("presence", "nowhere"),
    run("history", "news", "--json=data"),
    run("history", "news", "--limit", "1"),
  ]);
  expect(objects(channels)).toEqual([{ name: "news", hasHistory: true, listeners: 1 }]);
  expect(objects(presence)).toEqual([{ member: "ann", info: { name: "Ann" } }]);
  expect(nobody).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(objects(history)).toEqual([{ data: { n: 1 } }, { data: { n: 2 } }]);
  expect(newest.stdout).toMatch(/^\S+Z\t\{"n":2\}\n$/);
  await ann.leave();
  await subscription.close();
});

test("what a channel keeps is read back, page by page, and what is gone is told", async () => {
  const { app, run, env } = shop;
  const back = app.channel<number>("back", { history: { size: 4 } });
  await back.list();
  const cursors: string[] = [];
  for (let n = 1; n <= 6; n++) cursors.push((await back.publish(n)).cursor ?? "");
  await shop.known();
  const newest = objects(await run("history", "back", "--limit", "2", "--json=data,cursor"));
  expect(newest.map(({ data }) => data)).toEqual([5, 6]);
  const before = (cursor: unknown, ...rest: string[]): ReturnType<typeof run> =>
    run("history", "back", "--before", String(cursor), ...rest);
  const [older, oldest, gone, both, nonsense] = await Promise.all([
    before(newest[0]?.["cursor"], "--limit", "1", "--json=data"),
    before(newest[0]?.["cursor"], "--limit", "9"),
    run("history", "back", "--since", String(cursors[0]), "--limit", "1", "--json"),
    before(cursors[3], "--since", "earliest"),
    before("nonsense"),
  ]);
  expect(objects(older)).toEqual([{ data: 4 }]);
  expect(oldest).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\S+Z\t3\n\S+Z\t4\n$/), stderr: "" });
  expect(objects(gone)).toMatchObject([{ data: 3 }, { gap: { reason: "trimmed", missed: 1 } }]);
  expect([both.code, nonsense.code]).toEqual([2, 2]);
  const looked = await onTerminal(["history", "back", "--limit", "1"], { env });
  expect(looked.lines.join(" ")).toContain("What came before: keyline history back --before ");
});
