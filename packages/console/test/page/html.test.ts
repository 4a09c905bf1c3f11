import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { eventually, gate } from "../../../keyline/test/support/stage.ts";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

// Without quotation marks, which keys of groups must not have and which differ from letter to letter of one cause.
const html = "<img src=broken-in.png onerror=window.broken=self>";

let browser: Browser;
let operations: OpenConsole;
let page: Page;
let errors: string[];
const asked: string[] = [];
const { opened: held, open: letGo } = gate();
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole()]);
  const { keyline } = operations;
  const queue = keyline.queue<{ dies: boolean }>("planted", { maxAttempts: 1 });
  const worker = queue.work(
    async (job) => {
      if (job.data.dies) throw Object.assign(new Error(html), { stack: `Error: ${html}\n    at ${html} (${html}:1:1)` });
      await job.progress({ percent: 50, doing: html });
      await held;
    },
    { concurrency: 2 },
  );
  closing.push(() => worker.stop());
  await queue.add({ dies: true }, { id: "died" });
  await eventually("it died", async () => (await queue.counts()).dead === 1);
  await queue.add({ dies: false }, { id: "runs" });
  const lined = keyline.queue<object>("planted-groups");
  await lined.addMany([1, 2, 3].map(() => ({ data: {}, group: html })));
  const channel = keyline.channel("planted-channel", { history: {} });
  await channel.list();
  await channel.publish({ text: html });
  const present = await channel.presence.enter(html, { info: { text: html } });
  closing.push(() => present.leave());
  const stream = keyline.stream<{ text: string }>("planted-stream", { key: ({ text }) => text });
  const consumer = stream.consume("readers", () => Promise.reject(new Error(html)), { maxAttempts: 1 });
  closing.push(() => consumer.stop());
  await stream.append({ text: html });
  await eventually("it died", async () => (await stream.groups())[0]?.dead === 1);
  ({ page, errors } = await openPage(browser, operations.url));
  page.on("request", (request) => asked.push(request.url()));
});
afterAll(async () => {
  letGo();
  await Promise.all(closing.map((close) => close()));
  await browser.close();
  await operations.close();
});
afterEach(() => expect([errors.splice(0), operations.errors]).toEqual([[], []]));

async function expectShown(view: string, places: Readonly<Record<string, () => ReturnType<Page["locator"]>>>): Promise<void> {
  await operations.knows(view);
  await page.goto(operations.url + view);
  for (const [name, place] of Object.entries(places)) {
    await poll(async () => [name, (await place().filter({ hasText: html }).count()) > 0]).toEqual([name, true]);
  }
  expect(await page.locator('img[src*="broken"]').count(), view).toBe(0);
  expect(await page.evaluate(() => "broken" in window), view).toBe(false);
  expect(asked.filter((url) => new URL(url).pathname.includes("broken-in.png"))).toEqual([]);
}
const region = (name: string): ReturnType<Page["getByRole"]> => page.getByRole("region", { name, exact: true });
const table = (name: string): ReturnType<Page["locator"]> => page.getByRole("table", { name, exact: true }).locator("td");

test("HTML in an error, its stack and its cause is text", async () => {
  await expectShown("/queues/planted/jobs/died", {
    error: () => region("Failed attempts").getByRole("listitem"),
    stack: () => region("Stack of the error that it died of"),
    timeline: () => region("What happened").getByRole("listitem"),
  });
  await expectShown("/queues/planted/jobs?state=dead", { error: () => table("Jobs") });
  await expectShown("/queues/planted/letters", { cause: () => table("By cause"), reason: () => table("Dead letters") });
  // What is asked before all of a cause is thrown away names it.
  await page.getByRole("button", { name: `Discard: Error: ${html}` }).click();
  await page.getByRole("dialog").getByText(html).waitFor();
  expect(await page.locator('img[src*="broken"]').count()).toBe(0);
  await page.keyboard.press("Escape");
});

test("HTML in the progress of a job is text", async () => {
  await expectShown("/queues/planted/jobs/runs", { progress: () => region("Progress, JSON") });
});

test("HTML in the name of a group is text, also where it leads", async () => {
  await expectShown("/queues/planted-groups/groups", { name: () => table("Groups") });
  await table("Groups").getByRole("link", { name: html }).first().click();
  await poll(() => page.getByRole("table", { name: "Jobs" }).locator("tbody tr").count()).toBe(3);
  expect(new URL(page.url()).searchParams.get("group")).toBe(html);
  expect(await page.getByRole("textbox", { name: "Of a group" }).inputValue()).toBe(html);
  await expectShown(`/queues/planted-groups/jobs?group=${encodeURIComponent(html)}`, { group: () => table("Jobs") });
});

test("HTML in a message and in who is present is text", async () => {
  await expectShown("/channels/planted-channel", {
    history: () => table("History"),
    member: () => page.getByRole("list", { name: "Who is here" }).getByRole("listitem"),
  });
  const channel = operations.keyline.channel("planted-channel", { history: {} });
  await poll(async () => {
    await channel.publish({ live: html });
    return page.getByRole("log", { name: "Live" }).getByText(`{"live":"${html}"}`).count();
  }).toBeGreaterThan(0);
  await region("History").locator("summary").first().click();
  await region("Message, JSON").getByText(html).waitFor();
  expect(await page.locator('img[src*="broken"]').count()).toBe(0);
});

test("HTML in an entry, its key, and in what a consumer group died of is text", async () => {
  await expectShown("/streams/planted-stream", {
    payload: () => page.getByRole("table", { name: "Entries" }).locator('td[data-label="Payload"]'),
    key: () => page.getByRole("table", { name: "Entries" }).locator('td[data-label="Key"]'),
  });
  await region("Entries").locator("summary").first().click();
  await region("Payload, JSON").getByText(html).waitFor();
  await expectShown("/streams/planted-stream/groups/readers", {
    reason: () => page.getByRole("table", { name: "Dead letters" }).locator('td[data-label="Error"]'),
    payload: () => page.getByRole("table", { name: "Dead letters" }).locator('td[data-label="Payload"]'),
  });
});
