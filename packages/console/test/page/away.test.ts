import { openBrowser, openPage } from "@keyline/look/testing";
import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let browser: Browser;
let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let operations: OpenConsole;
let page: Page;
beforeAll(async () => {
  [browser, valkey, postgres] = await Promise.all([openBrowser(), startValkey(), startPostgres()]);
  operations = await openConsole({}, { valkeyUrl: valkey.url, postgresUrl: postgres.url });
  const queue = operations.keyline.queue<object>("steadfast", { transactional: true });
  await queue.add({}, { id: "one", group: "g" });
  ({ page } = await openPage(browser, `${operations.url}/queues/steadfast/jobs`));
  await page.locator('[data-row="one"]').waitFor();
});
afterAll(async () => {
  await browser.close();
  await operations.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

const banner = (store: string): ReturnType<Page["getByText"]> => page.getByRole("alert").getByText(`${store} is away.`);
const waiting = (count: string): ReturnType<Page["getByText"]> =>
  page.getByRole("link", { name: /^waiting/ }).getByText(count, { exact: true });

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

test("while Valkey is away the page says so, shows what PostgreSQL knows, and goes on by itself", async () => {
  await valkey.kill();
  await banner("Valkey").waitFor({ timeout: 30_000 });
  expect(await page.locator('[data-row="one"]').isVisible()).toBe(true);
  await page.goto(`${operations.url}/queues/steadfast`);
  await waiting("2").waitFor();
  await page.getByText("It is not known who works on it").waitFor();
  await page.getByText("It is not known how long jobs took").waitFor();
  // Each store has a count of its own.
  await page.getByText("Open jobs in PostgreSQL").waitFor();
  await page
    .getByRole("link", { name: /^waiting/ })
    .getByText("as PostgreSQL has it")
    .waitFor();
  expect(await page.getByRole("link", { name: /^running/ }).innerText()).toContain("–");
  await page.goto(`${operations.url}/queues/steadfast/jobs`);
  await page.locator('[data-row="one"]').waitFor();
  await page.getByText("as PostgreSQL has them: which of them run is not known").waitFor();
  await page.goto(`${operations.url}/queues/steadfast/jobs/one`);
  await page.getByText("PostgreSQL; whether it runs is not known").waitFor();
  await page.goto(`${operations.url}/queues/steadfast/groups`);
  await page.locator('[data-row="g"]').waitFor();
  await page.getByText("as PostgreSQL has them: which of their jobs have their turn is not known").waitFor();
  await page.goto(`${operations.url}/queues/steadfast/letters`);
  await page.getByText("No dead letters").first().waitFor();
  await page.goto(`${operations.url}/queues/steadfast/jobs?state=running`);
  await page.getByRole("alert").getByText("does not answer").waitFor();
  await valkey.restart();
  await page.getByText("No jobs").waitFor({ timeout: 60_000 });
  await banner("Valkey").waitFor({ state: "detached", timeout: 60_000 });
});

test("while PostgreSQL is away the page says so, shows what Valkey knows, does nothing that it cannot write down, and goes on by itself", async () => {
  const plain = operations.keyline.queue<object>("plain");
  await plain.add({});
  await operations.knows("/queues/plain");
  await page.goto(`${operations.url}/queues/plain`);
  await waiting("1").waitFor();
  await postgres.kill();
  await banner("PostgreSQL").waitFor({ timeout: 30_000 });
  await plain.add({});
  // Live all the same.
  await waiting("2").waitFor();
  const pause = async (): Promise<void> => {
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  };
  await pause();
  await page.getByRole("dialog").getByText("The audit trail cannot be written at the moment").waitFor();
  await page.keyboard.press("Escape");
  expect((await plain.counts()).paused).toBe(false);
  // What Valkey knows of it is told, and what only rows tell is not.
  await page.goto(`${operations.url}/queues/steadfast`);
  await waiting("2").waitFor();
  await page
    .getByRole("link", { name: /^scheduled/ })
    .getByText("with those that are parked")
    .waitFor();
  for (const state of ["parked", "dead"])
    await page
      .getByRole("link", { name: new RegExp(`^${state}`) })
      .getByText("–")
      .waitFor();
  await page.goto(`${operations.url}/audit`);
  await page.getByRole("alert").getByText("A store does not answer").waitFor();
  await postgres.restart();
  await banner("PostgreSQL").waitFor({ state: "detached", timeout: 60_000 });
  await page.getByText("Nobody has done anything yet").waitFor();
  await page.goto(`${operations.url}/queues/plain`);
  await pause();
  await page.getByText("paused", { exact: true }).waitFor();
  await page.goto(`${operations.url}/queues/steadfast`);
  await waiting("2").waitFor();
});
