import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { eventually } from "../../../keyline/test/support/stage.ts";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";

// Pages are built and opened while other files run.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let browser: Browser;
let operations: OpenConsole;
let page: Page;
let errors: string[];
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole()]);
  ({ page, errors } = await openPage(browser, operations.url));
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
const button = (name: string): ReturnType<Page["getByRole"]> => page.getByRole("button", { name, exact: true });
const dialog = (): ReturnType<Page["getByRole"]> => page.getByRole("dialog");
const told = (text: string | RegExp): Promise<void> => page.getByRole("status").getByText(text).waitFor();

test("a list is filtered by state and group, and the address says so", async () => {
  const mails = operations.keyline.queue("filtered");
  await mails.addMany([
    { data: { to: "ada" } },
    { data: { to: "grace" }, group: "inner circle 100%" },
    { data: { to: "later" }, delay: 3_600_000 },
  ]);
  await go("/queues/filtered/jobs");
  const rows = page.getByRole("table", { name: "Jobs" }).locator("tbody tr");
  await button("waiting 2")
    .or(page.getByRole("button", { name: /^waiting/ }))
    .first()
    .click();
  await poll(() => rows.count()).toBe(2);
  expect(new URL(page.url()).search).toBe("?state=waiting");
  await page.getByRole("textbox", { name: "Of a group" }).fill("inner circle 100%");
  await page.keyboard.press("Enter");
  await poll(() => rows.count()).toBe(1);
  await page.reload();
  await poll(() => rows.allInnerTexts()).toEqual([expect.stringContaining("grace")]);
  await button("Clear the filter").click();
  await page.getByRole("button", { name: /^scheduled/ }).click();
  await poll(() => rows.allInnerTexts()).toEqual([expect.stringContaining("later")]);
});

test("jobs of a transactional queue are found by a text in their payload", async () => {
  const orders = operations.keyline.queue<object>("searched", { transactional: true });
  const in1Hour = { delay: 3_600_000 };
  await orders.addMany(
    [
      { data: { customer: "Ada Lovelace", note: "100 % _wool_" }, options: in1Hour },
      { data: { customer: "Grace Hopper" }, options: in1Hour },
      { data: { customer: "ada, who waits" } },
    ].map(({ data, options = {} }) => ({ data, ...options })),
  );
  await go("/queues/searched/jobs");
  const rows = page.getByRole("table", { name: "Jobs" }).locator("tbody tr");
  await poll(() => rows.count()).toBe(3);
  const search = page.getByRole("textbox", { name: "Payload contains" });
  expect(await search.count()).toBe(0);
  await page.getByRole("button", { name: /^scheduled/ }).click();
  for (const [text, found] of [
    ["Hopper", "Grace Hopper"],
    ["100 % _wool_", "Ada Lovelace"],
  ] as const) {
    await search.fill(text);
    await page.keyboard.press("Enter");
    await poll(() => rows.allInnerTexts()).toEqual([expect.stringContaining(found)]);
    expect(new URL(page.url()).searchParams.get("contains")).toBe(text);
  }
  await search.fill("nobody");
  await page.keyboard.press("Enter");
  await poll(() => rows.count()).toBe(0);
  await button("Clear the filter").click();
  await poll(() => rows.count()).toBe(2);
});

test("a list goes on in pages, keeps its rows while it is live, and is walked with the keyboard", async () => {
  const queue = operations.keyline.queue<{ n: number }>("long");
  await queue.addMany(Array.from({ length: 70 }, (_, n) => ({ data: { n } })));
  await go("/queues/long/jobs?state=waiting");
  const rows = page.getByRole("table", { name: "Jobs" }).locator("tbody tr");
  await poll(() => rows.count()).toBe(50);
  await button("Show more").click();
  await poll(() => rows.count()).toBe(70);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  const focused = (): Promise<string | undefined> => page.evaluate(() => (document.activeElement as HTMLElement).dataset["row"]);
  const second = await focused();
  expect(second).toBe(await rows.nth(1).getAttribute("data-row"));
  const { id } = await queue.add({ n: 70 });
  await page.locator(`[data-row="${id}"]`).waitFor();
  expect(await focused()).toBe(second);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: second ?? "", level: 1 }).waitFor();
});

test("a job is found by its id, changed, run now and cancelled", async () => {
  const queue = operations.keyline.queue<{ to: string; password: string }>("single");
  const { id } = await queue.add({ to: "ada", password: "secret" }, { delay: 3_600_000 });
  await go("/queues/single/jobs");
  await page.getByRole("textbox", { name: "Find a job by its id" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type(id);
  await page.keyboard.press("Enter");
  const payload = page.getByRole("region", { name: "Payload, JSON" });
  await payload.getByText('"ada"').waitFor();
  expect(await payload.innerText()).not.toContain("secret");

  await button("Change").click();
  const field = dialog().getByRole("textbox", { name: "Payload" });
  await field.fill((await field.inputValue()).replace("ada", "grace"));
  await button("Change the job").click();
  await told("It is changed.");
  expect((await queue.job(id))?.data).toEqual({ to: "grace", password: "secret" });
  await payload.getByText('"grace"').waitFor();

  await button("Run now").click();
  await told("It is ready now.");
  expect((await queue.job(id))?.state).toBe("waiting");

  await button("Cancel the job").click();
  await dialog().getByRole("button", { name: "Leave it" }).click();
  expect((await queue.job(id))?.state).toBe("waiting");
  await button("Cancel the job").click();
  await dialog().getByRole("button", { name: "Cancel the job" }).click();
  await told(/^Cancelled/);
  expect((await queue.counts()).waiting).toBe(0);
});

test("a dead job shows its attempts and its stack, and is redriven or discarded", async () => {
  const queue = operations.keyline.queue<{ n: number }>("dying", { maxAttempts: 2, backoff: { type: "fixed", delay: 1 } });
  const worker = queue.work(({ data: { n } }) => {
    throw new RangeError(`number ${n} is too large`);
  });
  await queue.add({ n: 1 }, { id: "first" });
  await queue.add({ n: 2 }, { id: "second" });
  await eventually("both died", async () => (await queue.counts()).dead === 2);
  await worker.stop();
  await go("/queues/dying/jobs/first");
  const attempts = page.getByRole("region", { name: "Failed attempts" });
  await poll(() => attempts.getByText("number 1 is too large").count()).toBeGreaterThanOrEqual(2);
  const newest = attempts.getByRole("listitem").first();
  await newest.getByRole("region", { name: "Stack of the error that it died of" }).getByText("jobs.test.ts").first().waitFor();
  await button("Redrive").click();
  await dialog().getByRole("button", { name: "Redrive" }).click();
  await told("It is back in its queue.");
  expect((await queue.job("first"))?.state).toBe("waiting");
  await go("/queues/dying/jobs/second");
  await button("Discard").click();
  await dialog().getByRole("button", { name: "Discard" }).click();
  await told("It is gone.");
  expect((await queue.counts()).dead).toBe(0);
});

test("a job in steps shows them, what it says of itself as it says it, and takes a signal", async () => {
  const queue = operations.keyline.queue<{ amount: number }>("refunds", { transactional: true });
  const go2 = Promise.withResolvers<void>();
  const worker = queue.work(async (job, { step }) => {
    await step("ask", async () => ({ asked: "everybody" }));
    await job.progress({ percent: 40 });
    await go2.promise;
    await job.progress({ percent: 80 });
    const { by } = await job.signalled<{ by: string }>("approved");
    await step("pay", async () => ({ by }));
  });
  await queue.add({ amount: 3 }, { id: "refund" });
  await go("/queues/refunds/jobs/refund");
  await page.getByRole("region", { name: "Steps that are done" }).getByText('"everybody"').waitFor();
  await page.getByRole("heading", { name: "Progress: 40 %" }).waitFor();
  go2.resolve();
  await page.getByRole("heading", { name: "Progress: 80 %" }).waitFor();
  await eventually("it waits", async () => (await queue.job("refund"))?.state === "parked");
  await button("Send a signal").click();
  await dialog().getByRole("textbox", { name: "Name" }).fill("approved");
  await dialog().getByRole("textbox", { name: "What comes with it" }).fill('{"by":"ann"}');
  const completed = new Promise((resolve) => worker.on("completed", resolve));
  await dialog().getByRole("button", { name: "Send a signal" }).click();
  await told("The signal is sent.");
  await completed;
  await worker.stop();
});

test("a family is shown as a tree, from whichever member one comes", async () => {
  const { keyline } = operations;
  const [reports, chapters] = [keyline.queue<object>("family-reports"), keyline.queue<object>("family-chapters")];
  const children = ["one", "two"].map((id) => ({ queue: chapters, data: {}, options: { id: `chapter-${id}` } }));
  await reports.add({}, { id: "the-report", children });
  await go("/queues/family-reports/jobs/the-report");
  const family = page.getByRole("region", { name: "Family" });
  await family.getByRole("link", { name: "chapter-two" }).click();
  await page.getByRole("heading", { name: "chapter-two", level: 1 }).waitFor();
  await family.getByRole("link", { name: "the-report" }).waitFor();
  expect(new URL(page.url()).pathname).toContain("/queues/family-chapters/jobs/chapter-two");
});

test("a payload of a mebibyte does not hold the page up, and one with HTML is text", async () => {
  const queue = operations.keyline.queue("payloads");
  const html = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>";
  await queue.add({ html }, { id: "html" });
  await queue.add(
    { text: "x".repeat(500_000), lines: Array.from({ length: 20_000 }, (_, line) => `line ${line} of many`) },
    { id: "large" },
  );
  await go("/queues/payloads/jobs/html");
  const payload = page.getByRole("region", { name: "Payload, JSON" });
  await poll(() => payload.innerText()).toContain("<img src=x onerror=");
  expect(await page.title()).toMatch(/^html · /);
  expect(await page.locator("main img").count()).toBe(0);
  await go("/queues/payloads/jobs/large");
  await payload.getByText('"text"').waitFor();
  // Whatever its size, only what is in sight is in the document.
  expect(await page.locator("main *").count()).toBeLessThan(1_500);
  await payload.evaluate((element) => element.scrollTo({ top: element.scrollHeight }));
  await payload.getByText('"line 19999 of many"').waitFor();
});

test("a job that is not there is said to be unknown", async () => {
  await operations.keyline.queue("single").add({ to: "x", password: "y" });
  await go("/queues/single/jobs/nobody");
  await page.getByText("Nothing is known of this job").waitFor();
  // The browser says itself that the answer was 404.
  errors.length = 0;
});
