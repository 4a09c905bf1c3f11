import { hostname } from "node:os";
import { openBrowser, openPage } from "@keyline/look/testing";
import type { Worker } from "keyline";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { eventually, gate } from "../../../keyline/test/support/stage.ts";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";
import { plantMinutes } from "./support/plant-minutes.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

/** In a minute: nine of ten jobs waited for less than 16 ms, and ran for less than 64 ms. */
const counted = { added: 60, completed: 40, failed: 20, dead: 8, cancelled: 3, w4: 9, w10: 1, r6: 9, r12: 1 };

let browser: Browser;
let operations: OpenConsole;
let page: Page;
let errors: string[];
let worker: Worker<object>;
const { opened: held, open: letGo } = gate();
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole()]);
  const { keyline, stage } = operations;
  const queue = keyline.queue<{ dies?: boolean }>("figured", { maxAttempts: 1 });
  worker = queue.work(({ data }) => (data.dies ? Promise.reject(new Error("no")) : held), { concurrency: 3 });
  await queue.addMany([{ data: { dies: true } }, { data: { dies: true } }]);
  await eventually("two are dead", async () => (await queue.counts()).dead === 2);
  await queue.add({}, { id: "the-one-that-runs" });
  await keyline.stream("figured-events").append(1);
  await keyline.channel("figured-news").list();
  await plantMinutes(stage, "{figured}:rates", counted);
  await plantMinutes(stage, "{figured-events}:stream-rates", { appended: 50, consumed: 30, failed: 10 });
  await plantMinutes(stage, "{figured-news}:channel-rates", { published: 70, received: 140 });
  ({ page, errors } = await openPage(browser, operations.url));
});
afterAll(async () => {
  letGo();
  await worker.stop();
  await browser.close();
  await operations.close();
});
afterEach(() => expect([errors.splice(0), operations.errors]).toEqual([[], []]));

async function go(path: string): Promise<void> {
  await operations.knows(path);
  await page.goto(operations.url + path);
}
/** The cells of a row by their headers. */
async function cellsOf(table: string, row: string): Promise<Record<string, string>> {
  const cells = page
    .getByRole("table", { name: table })
    .locator("tbody tr")
    .filter({ has: page.getByRole("link", { name: row, exact: true }) })
    .locator("td");
  await cells.first().waitFor();
  return Object.fromEntries(await cells.evaluateAll((found) => found.map((cell) => [cell.dataset["label"] ?? "", cell.textContent ?? ""])));
}
const sparkOf = (row: string): Locator =>
  page
    .locator("tbody tr")
    .filter({ has: page.getByRole("link", { name: row, exact: true }) })
    .getByRole("img", { name: /^In the last hour/ });
/** What a test does by itself is counted too. */
const about = (figure: number): RegExp => new RegExp(`^${figure}(?:\\.\\d)?$`);

test("the overview tells of each queue, stream and channel what comes in and goes out, what fails and is dead, and its last hour", async () => {
  await go("/");
  await poll(async () => (await cellsOf("Queues", "figured"))["Dead"]).toBe("2");
  expect(await cellsOf("Queues", "figured")).toMatchObject({
    "In / min": expect.stringMatching(about(60)) as string,
    "Out / min": expect.stringMatching(about(40)) as string,
    "Failed / min": expect.stringMatching(about(20)) as string,
    Workers: "1",
  });
  const dead = page.getByRole("table", { name: "Queues" }).locator('a[href$="/queues/figured/letters"]');
  expect(await dead.innerText()).toBe("2");
  expect(await sparkOf("figured").getAttribute("aria-label")).toMatch(/^In the last hour 3,60\d in, 2,40\d out, 1,20\d failed$/);
  expect(await sparkOf("figured").locator("path").count()).toBe(3);
  expect(await sparkOf("figured").locator("line").count()).toBe(60);
  expect(await cellsOf("Streams", "figured-events")).toMatchObject({
    "Appended / min": expect.stringMatching(about(50)) as string,
    "Consumed / min": "30",
    "Failed / min": "10",
    Dead: "0",
  });
  expect(await sparkOf("figured-events").getAttribute("aria-label")).toMatch(/^In the last hour 3,00\d in, 1,800 out, 600 failed$/);
  expect(await cellsOf("Channels", "figured-news")).toMatchObject({ "Published / min": "70", "Received / min": "140" });
  expect(await sparkOf("figured-news").getAttribute("aria-label")).toBe("In the last hour 4,200 in, 8,400 out, 0 failed");
});

test("a queue tells its rates, how long its jobs waited and ran, and which worker runs what", async () => {
  await go("/queues/figured");
  const rates = page.getByRole("group", { name: "A minute, over the last five" }).locator("> *");
  await poll(() => rates.count()).toBe(5);
  const told = await rates.allTextContents();
  for (const [index, label, figure] of [
    [0, "added / min", 60],
    [1, "completed / min", 40],
    [2, "failed / min", 20],
    [3, "died / min", 8],
    [4, "cancelled / min", 3],
  ] as const) {
    expect(told[index]).toMatch(new RegExp(`^${label}${figure}(?:\\.\\d)?$`));
  }
  const durations = page.getByRole("region", { name: "How long, in the last hour" }).locator("tbody tr");
  expect((await durations.allInnerTexts()).slice(0, 3).map((row) => row.split(/\s*\t\s*/))).toEqual([
    ["half within", "16 ms", "64 ms"],
    ["95 % within", "1.0 s", "4.1 s"],
    ["99 % within", "1.0 s", "4.1 s"],
  ]);
  expect(await durations.nth(3).innerText()).toMatch(/^how many\s+60\d\s+60\d$/);
  const row = page.getByRole("table", { name: "Workers" }).locator("tbody tr");
  await poll(() => row.count()).toBe(1);
  const cells = await row.locator("td").evaluateAll((found) => found.map((cell) => [cell.dataset["label"], cell.textContent]));
  expect(Object.fromEntries(cells) as unknown).toMatchObject({
    Host: hostname(),
    Process: String(process.pid),
    Version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    Busy: "1 of 3",
  });
  await row.getByRole("link", { name: "the-one-that-runs" }).click();
  await page.getByRole("heading", { name: "the-one-that-runs", level: 1 }).waitFor();
});

test("the chart of a queue goes back an hour, a day, a month and a quarter, and shows flow, depth and age", async () => {
  await go("/queues/figured");
  const card = page.getByRole("region", { name: "Over time" });
  const chart = (label: string): Locator => card.getByRole("figure", { name: label, exact: true });
  await chart("Flow by the minute").waitFor();
  // A line or an area for each of what is counted.
  await poll(() => card.locator("path.recharts-curve").count()).toBeGreaterThanOrEqual(3);
  expect(await card.locator("figcaption").innerText()).toMatch(/added\s*completed\s*failed attempts/);
  for (const [range, query, label] of [
    ["24 h", "minutes=1440", "Flow by the minute"],
    ["30 days", "hours=720", "Flow by the hour"],
    ["90 days", "hours=2160", "Flow by the hour"],
    ["1 h", "minutes=60", "Flow by the minute"],
  ] as const) {
    const answered = range === "1 h" ? undefined : page.waitForResponse((response) => response.url().includes(`/rates?${query}`));
    await card.getByText(range, { exact: true }).click();
    if (answered) expect((await answered).status(), range).toBe(200);
    await chart(label).waitFor();
    expect(await card.getByRole("radio", { name: range, exact: true }).isChecked()).toBe(true);
  }
  await card.getByText("Depth", { exact: true }).click();
  await chart("Depth by the minute").waitFor();
  expect(await card.locator("figcaption").innerText()).toMatch(/waiting\s*running\s*dead/);
  await card.getByText("Age", { exact: true }).click();
  await chart("Age by the minute").waitFor();
  expect(await card.locator("figcaption").innerText()).toBe("age of the oldest waiting");
});

test("a job tells what happened to it, in the order in which it happened", async () => {
  const queue = operations.keyline.queue("told", { maxAttempts: 2, backoff: { type: "fixed", delay: 3_600_000, jitter: 0 } });
  let attempts = 0;
  const trying = queue.work(() => Promise.reject(new Error(`attempt ${++attempts} came to nothing`)));
  await queue.add({}, { id: "story" });
  await eventually("it is to be tried again", async () => (await queue.job("story"))?.state === "scheduled");
  await go("/queues/told/jobs/story");
  const events = page.getByRole("region", { name: "What happened" }).getByRole("listitem");
  const kinds = (): Promise<(string | undefined)[]> => events.evaluateAll((found) => found.map((event) => event.dataset["what"]));
  await poll(kinds).toEqual(["added", "started", "failed", "due"]);
  expect(await events.nth(2).innerText()).toContain("attempt 1 came to nothing");
  expect(await events.nth(3).innerText()).toMatch(/^Due\s+in (?:59 min|1 h)$/);
  // Each with its time, by both clocks where it is asked for.
  await events.nth(3).locator("time").focus();
  await page.getByRole("tooltip").getByText("UTC").first().waitFor();
  // Live: when it died it is not known any more when it was added.
  await queue.promote("story");
  await poll(kinds).toEqual(["started", "failed", "started", "failed"]);
  expect(await events.nth(3).innerText()).toContain("attempt 2 came to nothing");
  await trying.stop();
});

test("health tells of both stores what they are, and of what there is", async () => {
  const { stage, keyline } = operations;
  await go("/health");
  const facts = async (store: string): Promise<Record<string, string>> => {
    const pairs = page.getByRole("region", { name: store, exact: true }).locator("dl > *");
    return Object.fromEntries(
      await pairs.evaluateAll((found) =>
        found.map((fact) => [fact.querySelector("dt")?.textContent ?? "", fact.querySelector("dd")?.textContent ?? ""]),
      ),
    );
  };
  await poll(async () => (await facts("PostgreSQL"))["Relay backlog"]).toMatch(/^\d/);
  const server = await stage.valkey.info("server");
  const [, policy] = (await stage.valkey.config("GET", "maxmemory-policy")) as string[];
  const [, limit] = (await stage.valkey.config("GET", "maxmemory")) as string[];
  expect(await facts("Valkey")).toMatchObject({
    Version: /valkey_version:(\S+)/.exec(server)?.[1] ?? "",
    Memory: expect.stringMatching(limit === "0" ? /^[\d.]+ [KMG]iB, no limit$/ : /^[\d.]+ [KMG]iB of [\d.]+ [KMG]iB$/) as string,
    "When memory is full": policy,
    Role: expect.stringMatching(/primary|master/) as string,
    "Keys evicted": "0",
    "Round trip": expect.stringMatching(/^[\d.]+ m?s$/) as string,
  });
  const { rows } = await stage.pool.query<{ version: string; newest: number }>(
    "SELECT current_setting('server_version') AS version, (SELECT max(version) FROM keyline.migration)::int AS newest",
  );
  const { postgres } = await keyline.health();
  expect(await facts("PostgreSQL")).toMatchObject({
    Version: expect.stringContaining(/^[\d.]+/.exec(rows[0]?.version ?? "")?.[0] ?? "?") as string,
    Migration: `${rows[0]?.newest}, the newest`,
    Connections: expect.stringMatching(/^\d+ busy of \d+, 0 wait for one$/) as string,
    "Relay backlog": String(postgres.relay?.backlog ?? "?"),
  });
});
