import { once } from "node:events";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ended, hasTerminals, objects, onTerminal, printed, start } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

test("a queue's events are followed until Ctrl-C", async () => {
  const { app, env } = shop;
  const queue = app.queue<number>("emails");
  await queue.add(0);
  await shop.known();
  const tail = start(["tail", "queue", "emails", "--json"], { env });
  const result = ended(tail);
  const worker = queue.work(() => undefined);
  // It may begin at any time, and tells what comes from then on.
  const added = setInterval(() => void queue.add(1), 100);
  await printed(tail, /"completed"/).finally(() => clearInterval(added));
  tail.kill("SIGINT");
  const { code, stderr } = await result;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(objects(await result).map(({ type }) => type)).toContain("completed");
  await worker.stop();
});

test("a channel's messages and a stream's entries are followed, and SIGTERM ends it too", async () => {
  const { app, env, run } = shop;
  const stream = app.stream<number>("log");
  await stream.append(1);
  await shop.known();
  const followers = [
    start(["tail", "channel", "news"], { env }),
    start(["tail", "channel", "ne*", "--json=channel,data"], { env }),
    start(["tail", "stream", "log", "--after", "-", "--limit", "2", "--json=data"], { env }),
  ] as const;
  const results = followers.map((child) => ended(child));
  const channel = app.channel<object>("news");
  const published = setInterval(() => void channel.publish({ hello: 1 }), 100);
  await Promise.all([
    printed(followers[0], /\d{4}-\S+Z {2}\{"hello":1\}\n/),
    printed(followers[1], /\n/),
    printed(followers[2], /\n/),
  ]).finally(() => clearInterval(published));
  expect(await run("append", "log", "2")).toMatchObject({ code: 0, stderr: "" });
  followers[0].kill("SIGTERM");
  followers[1].kill("SIGINT");
  const [first, second, third] = await Promise.all(results);
  expect(first?.code).toBe(0);
  expect(second).toMatchObject({ code: 0, stderr: "" });
  expect(objects(second ?? { stdout: "" })[0]).toEqual({ channel: "news", data: { hello: 1 } });
  // It ended by itself.
  expect(third).toEqual({ code: 0, stdout: '{"data":1}\n{"data":2}\n', stderr: "" });
});

test.runIf(hasTerminals)("at a terminal the time of day stands in front, and nothing of a payload is obeyed", async () => {
  const stream = shop.app.stream<string>("shown");
  await stream.appendMany(["one", "\u009b2Jtwo"]);
  await shop.known();
  const { code, stdout, lines } = await onTerminal(["tail", "stream", "shown", "--after", "-", "--limit", "2"], { env: shop.env });
  expect(code).toBe(0);
  expect(lines.filter((line) => line !== "")).toEqual([
    expect.stringMatching(/^\d\d:\d\d:\d\d {2}\d+-\d {2}"one"$/) as string,
    expect.stringMatching(/^\d\d:\d\d:\d\d {2}\d+-\d {2}"\\u009b2Jtwo"$/) as string,
  ]);
  expect(stdout).toContain("\u001b[2m");
});

test("whoever has read enough is no failure", async () => {
  const { app, env } = shop;
  const stream = app.stream<{ n: number; text: string }>("long");
  const text = "x".repeat(1_000);
  await stream.appendMany(Array.from({ length: 2_000 }, (_, n) => ({ n, text })));
  await shop.known();
  const child = start(["read", "long", "--limit", "2000"], { env });
  const said = printed(child, /\n/, "stderr").catch((error: Error) => error.message);
  await once(child.stdout ?? child, "readable");
  child.stdout?.destroy();
  expect(await once(child, "close")).toEqual([0, null]);
  expect(await said).toContain('printed ""');
});
