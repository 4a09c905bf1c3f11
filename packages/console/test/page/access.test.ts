import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openConsole, poll, secret, tokenOf, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let browser: Browser;
let operations: OpenConsole;
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole({ access: { secret }, title: "Mail room" })]);
  await operations.keyline.queue<object>("guarded").add({}, { id: "one" });
});
afterAll(async () => {
  await browser.close();
  await operations.close();
});

test("without a token nothing is shown but the question for one, and a wrong one is refused", async () => {
  const { page } = await openPage(browser, `${operations.url}/queues/guarded`);
  const dialog = page.getByRole("dialog", { name: "Who are you?" });
  await dialog.getByLabel("Token", { exact: true }).fill("no token");
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.getByRole("alert").getByText("This token is not taken").waitFor();
  await page.keyboard.press("Escape");
  expect(await dialog.isVisible()).toBe(true);
  await dialog.getByLabel("Token", { exact: true }).fill(await tokenOf("operator"));
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.waitFor({ state: "detached" });
  await page
    .getByRole("link", { name: /^waiting/ })
    .getByText("1", { exact: true })
    .waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByText("Mail room").waitFor();
  await page.reload();
  await page.getByRole("link", { name: /^waiting/ }).waitFor();
  await page.context().close();
});

test("a token that comes in the fragment is taken, and stands in no address afterwards", async () => {
  const { page, errors } = await openPage(browser, `${operations.url}/queues/guarded#token=${await tokenOf("operator")}`);
  await page.getByRole("link", { name: /^waiting/ }).waitFor();
  expect(page.url()).toBe(`${operations.url}/queues/guarded`);
  expect(errors).toEqual([]);
  await page.context().close();
});

test("a link with a token that is followed where the page asks for one is taken too", async () => {
  const { page } = await openPage(browser, `${operations.url}/queues/guarded`);
  await page.getByRole("dialog", { name: "Who are you?" }).waitFor();
  await page.goto(`${operations.url}/queues/guarded#token=${await tokenOf("viewer")}`);
  await page.getByRole("link", { name: /^waiting/ }).waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  expect(page.url()).toBe(`${operations.url}/queues/guarded`);
  await page.context().close();
});

test("a viewer sees everything, and of each act why it is not theirs", async () => {
  const { page, errors } = await openPage(browser, `${operations.url}/queues/guarded/jobs/one#token=${await tokenOf("viewer")}`);
  const cancel = page.getByRole("button", { name: "Cancel the job" });
  await poll(() => cancel.getAttribute("aria-disabled")).toBe("true");
  await cancel.focus();
  await page.getByRole("tooltip").getByText("Your token’s role is viewer").waitFor();
  await page.keyboard.press("Enter");
  expect(await page.getByRole("dialog").count()).toBe(0);
  expect((await operations.keyline.queue("guarded").job("one"))?.state).toBe("waiting");
  expect(errors).toEqual([]);
  await page.context().close();
});

/** Keeps what comes on live feeds, in the page: nobody else is given what an event stream had when it has ended. */
function keepLive(): void {
  const own = window.fetch.bind(window);
  window.fetch = async (...args) => {
    const response = await own(...args);
    if (!response.url.includes("/api/live") || !response.body) return response;
    const [kept, read] = response.body.tee();
    new Response(kept).text().then(
      (text) => Reflect.set(window, "live", `${String(Reflect.get(window, "live"))}${text}`),
      () => undefined,
    );
    return new Response(read, response);
  };
}

test("a token that ends of itself while nobody does anything ends the live feed, and the page says so", async () => {
  const { page } = await openPage(browser, `${operations.url}/health#token=${await tokenOf("viewer")}`);
  const live = page.getByText("Live", { exact: true });
  await live.waitFor();
  const seconds = 12;
  const short = await tokenOf("viewer", { seconds });
  await page.evaluate((token) => {
    for (const key of Object.keys(sessionStorage)) sessionStorage.setItem(key, token);
  }, short);
  await page.addInitScript(keepLive);
  const refused: string[] = [];
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (response.status() === 401) refused.push(pathname.slice(pathname.indexOf("/api/")));
  });
  await page.reload();
  await live.waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  const dialog = page.getByRole("dialog", { name: "Your token has ended" });
  await dialog.waitFor({ timeout: 60_000 });
  // It was the feed that ended, and what it was refused told the page.
  await poll(() => page.evaluate(() => String(Reflect.get(window, "live")))).toContain('event: end\ndata: {"code":"TOKEN_EXPIRED"}');
  expect(refused[0]).toBe("/api/live");
  // What was there is still there below.
  expect(await page.getByRole("region", { name: "Valkey" }).count()).toBe(1);
  await dialog.getByLabel("Token", { exact: true }).fill(await tokenOf("viewer"));
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.waitFor({ state: "detached" });
  await live.waitFor();
  await page.context().close();
});

test("a token that ends while the page is open is asked for over it, and the page goes on where it was", async () => {
  const queue = operations.keyline.queue<object>("guarded-long");
  await queue.addMany(Array.from({ length: 60 }, () => ({ data: {} })));
  const { page } = await openPage(browser, `${operations.url}/queues/guarded-long/jobs?state=waiting#token=${await tokenOf("operator")}`);
  const rows = page.getByRole("table", { name: "Jobs" }).locator("tbody tr");
  await page.getByRole("button", { name: "Show more" }).click();
  await poll(() => rows.count()).toBe(60);
  // As if as much time had passed.
  const ended = await tokenOf("operator", { seconds: -1 });
  await page.evaluate((token) => {
    for (const key of Object.keys(sessionStorage)) sessionStorage.setItem(key, token);
  }, ended);
  await queue.add({}, { id: "meanwhile" });
  const dialog = page.getByRole("dialog", { name: "Your token has ended" });
  await dialog.waitFor({ timeout: 30_000 });
  expect(await rows.count()).toBe(60);
  await dialog.getByLabel("Token", { exact: true }).fill(await tokenOf("operator"));
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.waitFor({ state: "detached" });
  await queue.add({}, { id: "newcomer" });
  await page.locator('[data-row="newcomer"]').waitFor();
  await page.locator('[data-row="meanwhile"]').waitFor();
  expect(await rows.count()).toBe(62);
  await page.context().close();
});
