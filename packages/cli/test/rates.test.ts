import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { keyline, hasTerminals, objects, onTerminal } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
  // What is counted is written down when its process ends.
  const app = shop.keyline();
  const queue = app.queue<number>("mails", { maxAttempts: 1 });
  const worker = queue.work(({ data }) => {
    if (data === 0) throw new Error("no such user");
  });
  let ended = 0;
  const all = new Promise<void>((resolve) => {
    const note = (): void => void (++ended === 3 && resolve());
    worker.on("completed", note);
    worker.on("dead", note);
  });
  await queue.addMany([{ data: 0 }, { data: 1 }, { data: 2 }]);
  await all;
  const stream = app.stream<number>("orders", { transactional: true });
  await stream.appendMany([1, 2]);
  const channel = app.channel("news", { history: { size: 10 } });
  await channel.list();
  await app.queue("news").add(1);
  await app.close();
  await shop.known();
});
afterAll(() => shop.close());

const sum = (spans: readonly Record<string, unknown>[], name: string): number => spans.reduce((all, span) => all + Number(span[name]), 0);

test("of a queue, a stream and a channel are told as the library has them, by minutes and by hours", async () => {
  const { run } = shop;
  const [minutes, hours, stream, channel, few] = await Promise.all([
    run("rates", "mails", "--json"),
    run("rates", "mails", "--hours", "2", "--json=at,added,completed,dead,leasesLost"),
    run("rates", "orders", "--hours", "2", "--json"),
    run("rates", "news", "--channel", "--json"),
    run("rates", "mails", "--minutes", "3"),
  ]);
  expect([minutes, hours, stream, channel, few].map(({ code, stderr }) => [code, stderr])).toEqual(
    Array.from({ length: 5 }, () => [0, ""]),
  );
  expect(objects(minutes)).toHaveLength(60);
  expect(objects(hours)).toHaveLength(2);
  expect(["added", "completed", "dead", "leasesLost"].map((name) => sum(objects(hours), name))).toEqual([3, 2, 1, 0]);
  expect(Object.keys(objects(hours)[0] ?? {})).toEqual(["at", "added", "completed", "dead", "leasesLost"]);
  expect(["appended", "consumed", "leasesLost"].map((name) => sum(objects(stream), name))).toEqual([2, 0, 0]);
  expect(objects(channel)).toHaveLength(60);
  expect(objects(channel)[0]).toMatchObject({ published: 0, received: 0 });
  // In a pipe: a line for each, nothing cut off, times as programs read them.
  const lines = few.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(line.split("\t")).toHaveLength(13);
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z\t\d+\t/);
});

test("what cannot be meant is refused, and where a name is used twice it has to be said which is meant", async () => {
  const { run } = shop;
  const [twice, both, unknown, kind, many, none] = await Promise.all([
    run("rates", "news"),
    run("rates", "mails", "--minutes", "5", "--hours", "5"),
    run("rates", "mial"),
    run("rates", "mails", "--stream"),
    run("rates", "mails", "--hours", "9999"),
    run("rates", "mails", "--minutes", "0"),
  ]);
  expect(twice).toMatchObject({ code: 2, stderr: "There is a queue news, and a channel news: say --queue or --channel.\n" });
  expect(both).toMatchObject({ code: 2, stderr: "Say --minutes or --hours, not both.\n" });
  expect(unknown).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^There is no queue, stream or channel mial\. .*mails/) as string,
  });
  expect(kind).toMatchObject({ code: 2, stderr: expect.stringContaining("There is no stream mails.") as string });
  expect(many).toMatchObject({ code: 2, stderr: expect.stringContaining("2160 at the most") as string });
  expect(none.code).toBe(2);
});

test.runIf(hasTerminals).each([40, 80, 160])("on a terminal of %i columns there is a table that is no wider", async (columns) => {
  const { lines, code } = await onTerminal(["rates", "mails", "--hours", "3"], { env: shop.env, columns, rows: 24 });
  expect(code).toBe(0);
  const shown = lines.filter((line) => line !== "");
  expect(shown).toHaveLength(4);
  for (const line of shown) expect(line.length).toBeLessThanOrEqual(columns);
  expect(shown[0]).toMatch(/^HOUR +ADDED +COMPLETED/);
  expect(shown.at(-1)).toMatch(/^\d\d-\d\d \d\d:00 /);
  if (columns === 160) expect(shown[0]).toContain("LEASES LOST");
});

test("while Valkey is away it says so", async () => {
  const { code, stdout, stderr } = await keyline(["rates", "mails"], { env: { ...shop.env, VALKEY_URL: "valkey://127.0.0.1:1" } });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^Valkey at 127\.0\.0\.1:1 is away: .*\nOnly there it may be known/);
});
