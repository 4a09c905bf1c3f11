import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openBrowser } from "../../../../apps/site/test/support/browser.ts";
import { openConsole, openPage, poll, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let browser: Browser;
let valkey: EmbeddedValkey;
let operations: OpenConsole;
let page: Page;
beforeAll(async () => {
  [browser, valkey] = await Promise.all([openBrowser(), startValkey()]);
  operations = await openConsole({}, { valkeyUrl: valkey.url });
  const queue = operations.keyline.queue<object>("steadfast", { transactional: true });
  await queue.add({}, { id: "one" });
  ({ page } = await openPage(browser, `${operations.url}/queues/steadfast/jobs`));
  await page.locator('[data-row="one"]').waitFor();
});
afterAll(async () => {
  await browser.close();
  await operations.close();
  await valkey.stop();
});

test("while the server is away the page says so, keeps what it shows, and goes on by itself", async () => {
  await operations.halt();
  await page.getByRole("alert").getByText("The console’s server does not answer.").waitFor({ timeout: 30_000 });
  await page.getByText("Offline", { exact: true }).waitFor();
  expect(await page.locator('[data-row="one"]').isVisible()).toBe(true);
  await operations.restart();
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 30_000 });
  await poll(() => page.getByRole("alert").getByText("does not answer").count()).toBe(0);
  await operations.keyline.queue<object>("steadfast", { transactional: true }).add({}, { id: "two" });
  await page.locator('[data-row="two"]').waitFor({ timeout: 30_000 });
});

test("while Valkey is away the page says which store it is, and says it no more when that is back", async () => {
  process.kill(valkey.pid, "SIGKILL");
  const banner = page.getByRole("alert").getByText("Valkey is away.");
  await banner.waitFor({ timeout: 30_000 });
  expect(await page.locator('[data-row="one"]').isVisible()).toBe(true);
  await valkey.restart();
  await banner.waitFor({ state: "detached", timeout: 60_000 });
});
