import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { eventually } from "../../../keyline/test/support/stage.ts";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let browser: Browser;
let operations: OpenConsole;
let page: Page;
let errors: string[];
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole()]);
  ({ page, errors } = await openPage(browser, operations.url, { timezoneId: "Asia/Tokyo" }));
});
afterAll(async () => {
  await browser.close();
  await operations.close();
});
afterEach(() => expect([errors.splice(0), operations.errors]).toEqual([[], []]));

async function go(path: string): Promise<void> {
  await operations.knows(path);
  await page.goto(operations.url + path);
}
const dialog = (): ReturnType<Page["getByRole"]> => page.getByRole("dialog");
const button = (name: string): ReturnType<Page["getByRole"]> => page.getByRole("button", { name, exact: true });
const told = (text: string | RegExp): Promise<void> => page.getByRole("status").getByText(text).waitFor();

test("a queue is paused after a question, and resumed; jobs are added by hand", async () => {
  const queue = operations.keyline.queue<{ to: string }>("acted");
  await queue.add({ to: "ada" });
  await go("/queues/acted");
  await button("Pause").click();
  await dialog().getByRole("button", { name: "Pause" }).click();
  await told("acted is paused.");
  await page.getByText("paused", { exact: true }).waitFor();
  await button("Add a job").click();
  await dialog().getByRole("textbox", { name: "Payload" }).fill("{ no json");
  await dialog().getByText("This is no JSON").waitFor();
  expect(await dialog().getByRole("button", { name: "Add a job" }).isDisabled()).toBe(true);
  await dialog().getByRole("textbox", { name: "Payload" }).fill('{"to":"grace"}');
  await dialog().getByRole("button", { name: "Add a job" }).click();
  await told(/^Added as /);
  // Live, without being read again by hand.
  await page
    .getByRole("link", { name: /^waiting/ })
    .getByText("2", { exact: true })
    .waitFor();
  const seen: string[] = [];
  const worker = queue.work(({ data }) => void seen.push(data.to));
  await button("Resume").click();
  await told("acted goes on.");
  await eventually("both ran", () => seen.length === 2);
  await worker.stop();
});

test("workers are shown with where they run and what they run", async () => {
  const queue = operations.keyline.queue<object>("worked");
  const held = Promise.withResolvers<void>();
  const worker = queue.work(() => held.promise, { concurrency: 3 });
  await queue.add({}, { id: "long-one" });
  await go("/queues/worked");
  const workers = page.getByRole("table", { name: "Workers" });
  await workers.getByText("1 of 3").waitFor({ timeout: 60_000 });
  await workers.getByText(String(process.pid), { exact: true }).waitFor();
  await workers.getByRole("link", { name: "long-one" }).waitFor();
  held.resolve();
  await worker.stop();
});

test("what was lost is shown, and how many jobs each store has", async () => {
  const queue = operations.keyline.queue<object>("counted", { transactional: true });
  await queue.addMany([{ data: {} }, { data: {} }, { data: {}, delay: 3_600_000 }]);
  await go("/queues/counted");
  const stores = page.getByRole("region", { name: "What both stores count" });
  await poll(() => stores.innerText()).toMatch(/in PostgreSQL\s+3\s[\s\S]*on Valkey\s+3\s[\s\S]*Difference\s+0/);
  await poll(() => page.getByRole("region", { name: "Work that was lost, in the last hour" }).innerText()).toMatch(/Leases lost\s+0/);
});

test("limits are shown, set and taken away", async () => {
  const queue = operations.keyline.queue<object>("limited");
  await queue.add({});
  await go("/queues/limited/limits");
  await page.getByRole("region", { name: "Limits" }).getByRole("button", { name: "Change" }).click();
  await dialog().getByRole("textbox", { name: "Jobs at the same time" }).fill("7");
  await dialog().getByRole("textbox", { name: "At most so many begin" }).fill("100");
  expect(await button("Set the limits").isDisabled()).toBe(true);
  await dialog().getByRole("textbox", { name: "in any … seconds" }).first().fill("60");
  await button("Set the limits").click();
  await told("The limits are in force.");
  expect(await queue.limits()).toEqual({ concurrency: 7, rate: { max: 100, per: 60_000 } });
  const shown = page.getByRole("region", { name: "Limits" });
  await shown.getByText("100 in any 1 min").waitFor();
  await shown.getByRole("button", { name: "Change" }).click();
  for (const name of ["Jobs at the same time", "At most so many begin"]) await dialog().getByRole("textbox", { name }).fill("");
  // A rate has both figures or none.
  expect(await button("Set the limits").isDisabled()).toBe(true);
  await dialog().getByRole("textbox", { name: "in any … seconds" }).first().fill("");
  await button("Set the limits").click();
  await dialog().waitFor({ state: "detached" });
  expect(await queue.limits()).toEqual({});
  await poll(() => shown.innerText()).toMatch(/Jobs at the same time\s+no limit\s+How many begin\s+no limit/);
});

test("a group is paused and resumed", async () => {
  const queue = operations.keyline.queue<object>("grouped");
  const held = Promise.withResolvers<void>();
  const worker = queue.work(() => held.promise, { concurrency: 4 });
  await queue.addMany(Array.from({ length: 3 }, () => ({ data: {}, group: "Müller & Co" })));
  await go("/queues/grouped/groups");
  await page.getByRole("button", { name: "Pause: Müller & Co" }).click();
  await dialog().getByRole("button", { name: "Pause" }).click();
  await told("Müller & Co is paused.");
  await page.getByRole("button", { name: "Resume: Müller & Co" }).click();
  await told("Müller & Co goes on.");
  await page.getByRole("link", { name: "Müller & Co" }).click();
  expect(new URL(page.url()).searchParams.get("group")).toBe("Müller & Co");
  held.resolve();
  await worker.stop();
});

test("a schedule shows its ticks by the reader's clock and by its own, is run now, paused and removed", async () => {
  const queue = operations.keyline.queue<{ kind: string }>("scheduled");
  await queue.add({ kind: "pulse" }, { delay: 3_600_000 });
  await queue.schedule("nightly", { cron: "0 3 * * *", timezone: "Europe/Berlin", data: { kind: "sales" } });
  await go("/queues/scheduled/schedules");
  const ticks = page.getByRole("table", { name: "Next ticks" });
  await poll(() => ticks.locator("tbody tr").count()).toBe(5);
  expect(await ticks.getByRole("columnheader").allInnerTexts()).toEqual(["Next ticks", "Your time (Asia/Tokyo)", "Europe/Berlin"]);
  expect((await ticks.locator("tbody tr td:nth-child(3)").allInnerTexts()).every((text) => text.endsWith("03:00"))).toBe(true);
  expect((await ticks.locator("tbody tr td:nth-child(2)").allInnerTexts()).every((text) => /1[01]:00$/.test(text))).toBe(true);
  await page.getByRole("button", { name: "Run now: nightly" }).click();
  await dialog().getByRole("button", { name: "Run now" }).click();
  await told(/^Added as /);
  expect((await queue.counts()).waiting).toBe(1);
  await page.getByRole("button", { name: "Pause: nightly" }).click();
  await dialog().getByRole("button", { name: "Pause" }).click();
  await told("nightly is paused.");
  await page.getByRole("button", { name: "Resume: nightly" }).click();
  await told("nightly goes on.");
  await page.getByRole("button", { name: "Remove: nightly" }).click();
  await dialog().getByRole("button", { name: "Remove" }).click();
  await page.getByText("Nothing is added to this queue by the clock.").waitFor();
});

test("times are shown by how long ago, by the reader's clock, or in UTC, as chosen", async () => {
  const queue = operations.keyline.queue<object>("timed");
  await queue.add({}, { id: "timed-one" });
  await go("/queues/timed/jobs");
  const time = page.locator('[data-row="timed-one"] time');
  await poll(() => time.innerText()).toMatch(/now|ago/);
  const at = new Date((await time.getAttribute("datetime")) ?? 0);
  const clock = (timeZone: string): string => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone }).format(at);
  await time.hover();
  const tip = page.getByRole("tooltip");
  await tip.getByText("UTC", { exact: true }).waitFor();
  expect(await tip.innerText()).toContain("Asia/Tokyo");
  for (const [choice, zone] of [
    ["in UTC", "UTC"],
    ["by my clock (Asia/Tokyo)", "Asia/Tokyo"],
  ] as const) {
    await button("Times, keys and access").click();
    await page.getByRole("menuitemradio", { name: choice }).click();
    await poll(() => time.innerText()).toMatch(new RegExp(`${clock(zone)}$`));
  }
});
