import { openBrowser } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openLivePage } from "../../site/test/support/live-page.ts";
import { newShopName, openShop, type TestShop } from "./support/shop.ts";

let browser: Browser;
let shop: TestShop;
// One page for all tests that do not break it: as a person has it open for a while.
let page: Page;
let errors: string[];
beforeAll(async () => {
  [browser, shop] = await Promise.all([openBrowser(), openShop()]);
  ({ page, errors } = await openLivePage(browser, `${shop.url}/shop`));
});
afterAll(async () => {
  await browser.close();
  await shop.close();
});
afterEach(() => expect(errors).toEqual([]));

const timeout = 25_000;

async function numberOf(statement: string): Promise<number> {
  const { rows } = await shop.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${statement}`);
  return rows[0]?.count ?? Number.NaN;
}

async function totals(): Promise<string> {
  return (await page.getByTestId("totals").innerText()).replaceAll(/\s+/g, " ").trim();
}

function everything(placed: number): string {
  const count = placed.toLocaleString("en");
  return `placed ${count} · processed ${count} · lost 0`;
}

test("an order placed with the keyboard is shown on its way to processed, without a reload", async () => {
  await page.evaluate(() => Object.assign(window, { isTheSame: true }));
  const details = `<img src=x onerror="document.title='broken'"> lamp`;
  await page.getByLabel("What is ordered").fill(details);
  await page.keyboard.press("Enter");
  const row = page.getByTestId("orders").locator("li", { hasText: details });
  await row.and(page.locator("[data-state=processed]")).waitFor({ timeout });
  await page
    .getByRole("status")
    .filter({ hasText: /^Order \d+Processed$/ })
    .waitFor({ timeout });
  expect(await page.title()).toBe("Shop - Keyline");
  expect(await page.evaluate(() => "isTheSame" in window)).toBe(true);
  expect(await totals()).toBe(everything(await numberOf("orders")));
});

test("an empty order is refused beside the field, and nothing is sent", async () => {
  const before = await numberOf("orders");
  await page.getByLabel("What is ordered").fill("  ");
  await page.getByRole("button", { name: "Place order" }).click();
  await page.getByText("Say what is ordered.").waitFor();
  expect(await page.getByLabel("What is ordered").getAttribute("aria-invalid")).toBe("true");
  expect(await numberOf("orders")).toBe(before);
});

test("a burst of 300 drains, and the bar follows it", async () => {
  const bar = page.getByRole("progressbar", { name: "Orders of the burst that are processed" });
  const seen: string[] = [];
  await page.exposeFunction("noteBar", (text: string) => seen.push(text));
  await bar.evaluate((element) => {
    const note = Reflect.get(window, "noteBar") as (text: string) => void;
    new MutationObserver(() => note(element.getAttribute("aria-valuetext") ?? "")).observe(element, { attributes: true });
  });
  await page.evaluate(() =>
    fetch("/api/shop/bursts", { method: "POST", headers: { "content-type": "application/json" }, body: '{"count":300}' }),
  );
  await page.getByText("300 of 300 orders processed").waitFor({ timeout });
  expect(await bar.getAttribute("aria-valuenow")).toBe("300");
  expect(seen.some((text) => /^([1-9]|[1-9]\d|[12]\d\d) of 300$/.test(text))).toBe(true);
  await page.getByText("All 300 orders of the burst are processed.").waitFor({ state: "attached" });
  await expect.poll(() => totals(), { timeout }).toBe(everything(await numberOf("orders")));
});

test("the buttons place as many orders as they say", async () => {
  await page.getByText("0 s", { exact: true }).click();
  const before = await numberOf("orders");
  await page.getByRole("button", { name: "Place 100 orders" }).click();
  await page.getByText("100 of 100 orders processed").waitFor({ timeout });
  expect(await numberOf("orders WHERE status = 'processed'")).toBe(before + 100);
});

test("a worker killed under load loses nothing: others process all that it had", async () => {
  await page.getByText("1 s", { exact: true }).click();
  await page.getByRole("button", { name: "Place 100 orders" }).click();
  const victim = page.getByTestId("workers").locator("li[data-state=ready]").first();
  const workerId = await victim.getAttribute("data-worker");
  await victim.getByText(/^10 running/).waitFor({ timeout });
  await page.getByRole("button", { name: `Kill worker ${workerId}` }).click();
  const killed = page.locator(`[data-worker="${workerId}"][data-state=killed]`);
  await killed.getByText(/^its [1-9]\d* orders? go back/).waitFor({ timeout });
  await page.locator("[data-interrupted=true]").first().waitFor();
  await page.getByText("0 s", { exact: true }).click();
  await killed.getByText(/^others have its [1-9]\d* orders? now/).waitFor({ timeout });
  await expect.poll(() => totals(), { timeout }).toBe(everything(await numberOf("orders")));
  expect(await numberOf("orders WHERE status IS DISTINCT FROM 'processed'")).toBe(0);
  expect(await numberOf("keyline.job")).toBe(0);
});

test("workers are started and stopped by hand, and orders wait while there is none", async () => {
  const ready = page.getByTestId("workers").locator("li[data-state=ready]");
  while ((await ready.count()) > 0) {
    const workerId = await ready.first().getAttribute("data-worker");
    await page.getByRole("button", { name: `Stop worker ${workerId}` }).click();
    await page.locator(`[data-worker="${workerId}"]`).waitFor({ state: "detached", timeout });
  }
  await page.getByLabel("What is ordered").fill("Waits for a worker");
  await page.keyboard.press("Enter");
  const row = page.getByTestId("orders").locator("li", { hasText: "Waits for a worker" });
  await row.and(page.locator("[data-state=waiting]")).waitFor({ timeout });
  await page.getByRole("button", { name: "Start a worker" }).click();
  await row.and(page.locator("[data-state=processed]")).waitFor({ timeout });
});

test("a request that fails is shown with the title of the problem", async () => {
  const body = JSON.stringify({ title: "PostgreSQL does not answer", status: 503, code: "POSTGRES_UNAVAILABLE" });
  await page.route("**/api/shop/orders", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body }));
  await page.getByRole("button", { name: "Place order" }).click();
  const alert = page.getByRole("alert").filter({ hasText: "PostgreSQL does not answer" });
  await alert.waitFor();
  await alert.getByRole("button", { name: "Close" }).click();
  await alert.waitFor({ state: "detached" });
  await page.unrouteAll();
  // The browser's own note of the answer.
  expect(errors.splice(0)).toEqual([expect.stringContaining("503")]);
});

test("a page whose server is gone says so, and goes on when it is back", async () => {
  const name = newShopName();
  const before = await openShop({ name, workers: 0 });
  const visit = await openLivePage(browser, `${before.url}/shop`);
  await before.close();
  await visit.page.getByText("Reconnecting").waitFor({ timeout });
  const after = await openShop({ name, workers: 0, port: Number(new URL(before.url).port) });
  await visit.page.getByText("Reconnecting").waitFor({ state: "detached", timeout });
  await visit.page.getByText("Live", { exact: true }).waitFor();
  await visit.page.context().close();
  await after.close();
});

test("the colours follow the system until the toggle is pressed, and then the choice", async () => {
  const scheme = (): Promise<string | null> => page.locator("html").getAttribute("data-mantine-color-scheme");
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await expect.poll(scheme).toBe(colorScheme);
  }
  await page.getByRole("button", { name: "Use the dark colours" }).click();
  await expect.poll(scheme).toBe("dark");
  await page.reload();
  expect(await scheme()).toBe("dark");
});

test("nothing is wider than the screen, from a phone to a desktop", async () => {
  await page.getByTestId("orders").locator("li").first().waitFor({ timeout });
  for (const width of [320, 360, 768, 961, 1_440]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `at ${width}`).toBe(0);
  }
});

test("everything that can be operated is reached with the keyboard and has a name", async () => {
  const names: string[] = [];
  await page.getByRole("link", { name: "Skip to the content" }).focus();
  for (let step = 0; step < 17; step++) {
    names.push(await page.evaluate(nameOfFocus));
    await page.keyboard.press("Tab");
  }
  expect(names).toEqual(expect.arrayContaining(["Place order", "Place 10,000 orders", "Start a worker"]));
  expect(names).not.toContain("");
});

/** Runs in the page. */
function nameOfFocus(): string {
  const element = document.activeElement;
  const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : undefined;
  return (element?.getAttribute("aria-label") ?? label ?? element?.textContent ?? "").trim();
}
