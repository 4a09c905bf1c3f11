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

test("messages are published, and whoever listens is counted", async () => {
  const { app, env } = shop;
  const channel = app.channel<{ text: string }>("news");
  const messages: unknown[] = [];
  const subscription = channel.subscribe((message) => void messages.push(message.data));
  await subscription.ready;
  const result = await keyline(["publish", "news", "--json"], { env, input: '{"text":"from a pipe"}\n' });
  expect(objects(result)).toEqual([{ channel: "news", id: expect.any(String) as string, receivers: 1 }]);
  expect(messages).toEqual([{ text: "from a pipe" }]);
  await subscription.close();
  const kept = await shop.run("publish", "kept", "1", "--history", "10");
  expect(kept.stdout).toMatch(/^Published \S+ on kept: 0 processes listen\.\n$/);
  expect((await app.channel("kept", { history: { size: 10 } }).history()).messages.map(({ data }) => data)).toEqual([1]);
});

test("entries are appended and read, on streams of both kinds", async () => {
  const { run } = shop;
  for (const [kind, name] of [
    ["--create", "steps"],
    ["--transactional", "record"],
  ] as const) {
    expect(await run("append", name, "1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`There is no stream ${name}`) as string,
    });
    const first = await run("append", name, '{"n":1}', kind, "--idempotency-key", "one", "--json");
    const id = String(objects(first)[0]?.["id"]);
    expect(objects(first)).toEqual([{ stream: name, id, appended: true }]);
    expect(await run("append", name, '{"n":1}', "--idempotency-key", "one")).toMatchObject({
      code: 0,
      stdout: `It is there already, as ${id}: nothing was appended.\n`,
    });
    await run("append", name, '{"n":2}', "--key", "k");
    const [all, newest, ofKey, tabs] = await Promise.all([
      run("read", name, "--json=data"),
      run("read", name, "--reverse", "--limit", "1", "--json"),
      run("read", name, "--key", "k", "--json=key,data"),
      run("read", name, "--from", "1h"),
    ]);
    expect(objects(all)).toEqual([{ data: { n: 1 } }, { data: { n: 2 } }]);
    expect(objects(newest)).toMatchObject([{ key: "k", data: { n: 2 } }]);
    expect(objects(ofKey)).toEqual([{ key: "k", data: { n: 2 } }]);
    expect(tabs.stdout).toMatch(/^\d+-\d+\t\S+Z\t\t\{"n":1\}\n\d+-\d+\t\S+Z\tk\t\{"n":2\}\n$/);
  }
});

test("what has keys is appended to with a key", async () => {
  const { app, run } = shop;
  await app.stream<{ of: string }>("keyed", { key: ({ of }) => of }).append({ of: "a" });
  await shop.known();
  expect(await run("append", "keyed", '{"of":"a"}')).toMatchObject({ code: 2, stderr: expect.stringContaining("say --key") as string });
  expect(await run("append", "keyed", '{"of":"a"}', "--key", "a")).toMatchObject({ code: 0 });
  expect(await app.stream<{ of: string }>("keyed").history("a")).toHaveLength(2);
});

test("groups are listed, their dead letters handed out again, and they are reset", async () => {
  const { app, run } = shop;
  const stream = app.stream<number>("events");
  await stream.appendMany([1, 2, 3]);
  await shop.known();
  let isBroken = true;
  const handled: number[] = [];
  const consumer = stream.consume(
    "mailer",
    ({ data }) => {
      if (isBroken && data === 2) throw new Error("no mail today");
      handled.push(data);
    },
    { maxAttempts: 1, from: "-" },
  );
  await new Promise<void>((resolve) => consumer.on("dead", () => resolve()));
  const group = stream.group("mailer");
  const [list, letters, unknown] = await Promise.all([
    run("groups", "events", "--json=name,dead,consumers"),
    run("groups", "letters", "events", "mailer", "--json=data,reason,attempts"),
    run("groups", "letters", "events", "nobody"),
  ]);
  expect(objects(list)).toEqual([{ name: "mailer", dead: 1, consumers: 1 }]);
  expect(objects(letters)).toEqual([{ data: 2, reason: expect.stringContaining("no mail today") as string, attempts: 1 }]);
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining("nobody") as string });
  expect(await run("groups", "discard", "events", "mailer", "--all")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--yes") as string,
  });
  isBroken = false;
  expect(await run("groups", "redrive", "events", "mailer")).toMatchObject({
    code: 0,
    stdout: "Redrove 1 dead letter of group mailer.\n",
  });
  await expect.poll(() => handled.includes(2), { timeout: 20_000 }).toBe(true);
  await consumer.stop();
  expect(await run("groups", "reset", "events", "mailer", "start")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--yes") as string,
  });
  expect((await group.status()).lag).toBe(0);
  expect(await run("groups", "reset", "events", "mailer", "start", "--yes")).toMatchObject({ code: 0 });
  expect((await group.status()).lag).toBe(3);
  expect(await run("groups", "remove", "events", "mailer", "--yes")).toMatchObject({
    code: 0,
    stdout: "Removed group mailer of events.\n",
  });
  expect(await stream.groups()).toEqual([]);
});
