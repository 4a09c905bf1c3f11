import { openBrowser, openPage } from "@keyline/look/testing";
import type { Queue } from "keyline";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { eventually } from "../../../keyline/test/support/stage.ts";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let browser: Browser;
let operations: OpenConsole;
let page: Page;
let errors: string[];
let queue: Queue<{ n: number }>;
let queues = 0;
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole()]);
  ({ page, errors } = await openPage(browser, operations.url));
});
afterAll(async () => {
  await browser.close();
  await operations.close();
});
beforeEach(async () => {
  queue = operations.keyline.queue<{ n: number }>(`letters-${queues++}`, { maxAttempts: 1 });
  const worker = queue.work(({ data: { n } }) => {
    throw n % 3 === 0 ? new TypeError(`nothing at ${n}`) : new RangeError(`number ${n} is too large`);
  });
  await queue.addMany(Array.from({ length: 12 }, (_, n) => ({ data: { n } })));
  await eventually("all died", async () => (await queue.counts()).dead === 12);
  await worker.stop();
  await operations.knows(`/queues/${queue.name}`);
  await page.goto(`${operations.url}/queues/${queue.name}/letters`);
});
afterEach(() => expect([errors.splice(0), operations.errors]).toEqual([[], []]));

const dialog = (): ReturnType<Page["getByRole"]> => page.getByRole("dialog");
const letters = (): ReturnType<Page["locator"]> => page.getByRole("table", { name: "Dead letters" }).locator("tbody tr");

test("they are grouped by cause, and all of one cause are redriven after a question that says how many", async () => {
  const causes = page.getByRole("table", { name: "By cause" }).locator("tbody tr");
  await poll(() => causes.count()).toBe(2);
  expect((await causes.allInnerTexts()).map((text) => text.split(/\s*\t/).slice(0, 2))).toEqual([
    [expect.stringContaining("RangeError"), "8"],
    [expect.stringContaining("TypeError"), "4"],
  ]);
  await page.getByRole("button", { name: /^RangeError/ }).click();
  await poll(() => letters().count()).toBe(8);
  expect(new URL(page.url()).searchParams.get("cause")).toMatch(/^RangeError/);
  await page.getByRole("button", { name: /^Redrive all: RangeError/ }).click();
  await dialog().getByText("8 dead letters").waitFor();
  expect((await queue.counts()).dead).toBe(12);
  await dialog().getByRole("button", { name: "Redrive 8" }).click();
  await page.getByRole("region", { name: "Running tasks" }).getByText("done", { exact: true }).waitFor();
  expect(await queue.counts()).toMatchObject({ dead: 4, waiting: 8 });
  await poll(() => causes.count()).toBe(1);
});

test("some are selected with x, and only they are discarded", async () => {
  await poll(() => letters().count()).toBe(12);
  const first = await letters().first().getAttribute("data-row");
  await letters().first().focus();
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.getByText("2 selected").waitFor();
  // Selected stays what was selected, also when the list is read again.
  await queue.add({ n: 100 });
  await page.getByRole("button", { name: "Discard selected" }).click();
  await dialog().getByText("2 dead letters").waitFor();
  await dialog().getByRole("button", { name: "Discard 2" }).click();
  await poll(() => letters().count()).toBe(10);
  expect((await queue.counts()).dead).toBe(10);
  expect(await queue.job(first ?? "")).toBeUndefined();
});

test("only those that are selected are redriven", async () => {
  await poll(() => letters().count()).toBe(12);
  const ids = [0, 3, 5].map(async (index) => (await letters().nth(index).getAttribute("data-row")) ?? "");
  const meant = await Promise.all(ids);
  for (const id of meant) await page.getByRole("checkbox", { name: `Select ${id}` }).check();
  await page.getByRole("button", { name: "Redrive selected" }).click();
  await dialog().getByText("3 dead letters").waitFor();
  expect((await queue.counts()).dead).toBe(12);
  await dialog().getByRole("button", { name: "Redrive 3" }).click();
  await poll(() => letters().count()).toBe(9);
  expect(await queue.counts()).toMatchObject({ dead: 9, waiting: 3 });
  const states = await Promise.all(meant.map(async (id) => (await queue.job(id))?.state));
  expect(states).toEqual(["waiting", "waiting", "waiting"]);
  // What was selected is done: nothing is any more.
  await page.getByRole("button", { name: "Redrive all that match" }).waitFor();
});

test("all of one cause are discarded after a question that says how many", async () => {
  await page.getByRole("button", { name: /^Discard: TypeError/ }).click();
  await dialog().getByText("4 dead letters").waitFor();
  await dialog().getByText("This cannot be undone").waitFor();
  await dialog().getByRole("button", { name: "Leave it" }).click();
  await dialog().waitFor({ state: "detached" });
  expect((await queue.counts()).dead).toBe(12);
  await page.getByRole("button", { name: /^Discard: TypeError/ }).click();
  await dialog().getByRole("button", { name: "Discard 4" }).click();
  await page.getByRole("region", { name: "Running tasks" }).getByText("4 of 4").waitFor();
  expect(await queue.counts()).toMatchObject({ dead: 8, waiting: 0 });
  await poll(() => letters().count()).toBe(8);
  const causes = page.getByRole("table", { name: "By cause" }).locator("tbody tr");
  await poll(() => causes.allInnerTexts()).toEqual([expect.stringContaining("RangeError")]);
});

test("all that match a filter are meant, and leaving it changes nothing", async () => {
  await poll(() => letters().count()).toBe(12);
  await page.keyboard.press("/");
  await page.keyboard.type("nothing at");
  await page.keyboard.press("Enter");
  await poll(() => letters().count()).toBe(4);
  await page.getByRole("button", { name: "Discard all that match" }).click();
  await dialog().getByText("4 dead letters").waitFor();
  await page.keyboard.press("Escape");
  await dialog().waitFor({ state: "detached" });
  expect((await queue.counts()).dead).toBe(12);
  await page.getByRole("button", { name: "Discard all that match" }).click();
  await dialog().getByRole("button", { name: "Discard 4" }).click();
  await poll(async () => (await queue.counts()).dead).toBe(8);
  // Where nothing matches there is nothing to act on.
  await page.getByText("No dead letters").waitFor();
  await poll(() => page.getByRole("button", { name: "all that match" }).count()).toBe(0);
});

test("what goes on is listed with who began it, and is in the audit trail", async () => {
  await page.getByRole("button", { name: "Redrive all that match" }).click();
  await dialog().getByRole("button", { name: "Redrive 12" }).click();
  await poll(async () => (await queue.counts()).dead).toBe(0);
  await page.getByRole("link", { name: "Tasks" }).click();
  const task = page.getByRole("table", { name: "Tasks" }).locator("tbody tr").filter({ hasText: queue.name });
  await task.getByText("12 of 12").waitFor();
  await task.getByText("loopback").waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  const act = page.getByRole("table", { name: "Audit trail" }).locator("tbody tr").filter({ hasText: queue.name });
  await poll(() => act.allInnerTexts()).toEqual([expect.stringMatching(/redrive[\s\S]*loopback[\s\S]*12/)]);
  await act.getByRole("link", { name: `queue:${queue.name}` }).click();
  await page.getByRole("heading", { name: queue.name, level: 1 }).waitFor();
});
