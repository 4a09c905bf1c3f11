import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { startDemo } from "./support/demo.ts";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";
import type { RunningDemo } from "./support/running-demo.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 90_000 });

const views = [
  "/",
  "/queues/mails",
  "/queues/exports",
  "/queues/thumbnails/jobs?state=waiting",
  "/queues/invoices/jobs?state=blocked",
  "/queues/mails/jobs?state=dead",
  "/queues/thumbnails/jobs/with-html",
  "/queues/orders/jobs/order-1001",
  "/queues/reports/jobs/report-2026-10",
  "/queues/mails/letters",
  "/queues/orders/letters",
  "/queues/invoices/groups",
  "/queues/reports/schedules",
  "/queues/invoices/limits",
  "/channels/news",
  "/streams/readings",
  "/streams/readings/groups/alerts",
  "/tasks",
  "/health",
  "/audit",
];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser: Browser;
let operations: OpenConsole;
let demo: RunningDemo;
let page: Page;
let errors: string[];
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole()]);
  const [begun, opened] = await Promise.all([startDemo(operations.keyline), openPage(browser, operations.url)]);
  demo = begun;
  const who = "the-one-who-is-on-call@operations.example.com";
  const entry = await operations.keyline.audit.add({ who, action: "queue.pause", target: "queue:exports", details: { reason: "a move" } });
  await operations.keyline.audit.finish(entry, { count: 1 });
  ({ page, errors } = opened);
});
afterAll(async () => {
  await browser.close();
  await demo.close();
  await operations.close();
});
afterEach(() => expect([errors.splice(0), operations.errors]).toEqual([[], []]));

/** The last part of a view's path that names something is in its title. */
function titleOf(view: string): RegExp {
  const [path = ""] = view.split("?");
  const named = /^\/queues\/([^/]+)\/(?!jobs\/)/.exec(path)?.[1] ?? path.split("/").at(-1);
  return new RegExp(`^${named === "" ? "overview" : named}`, "i");
}

async function open(view: string): Promise<void> {
  await operations.knows(view);
  // A tip that happens to be open below the mouse is in no region.
  await page.mouse.move(0, 0);
  // Within the page: to load it anew for each view takes most of the time.
  await page.evaluate((path) => history.pushState(null, "", path), operations.url + view);
  await poll(() => page.title()).toMatch(titleOf(view));
  await poll(() => page.locator("[aria-label=Loading]").count()).toBe(0);
}

test("what is unhealthy comes first, with its cause and what to do, and leads there", async () => {
  await open("/");
  const attention = page.getByRole("region", { name: "What needs attention" });
  const paused = attention.getByRole("listitem").filter({ hasText: "exports" });
  await paused.getByText("It is paused").waitFor();
  const queues = page.getByRole("table", { name: "Queues" }).locator("tbody tr");
  expect(await queues.count()).toBe(7);
  // Where all of them stand in lines, the number leads to those.
  await queues.filter({ hasText: "invoices" }).locator('a[href$="/queues/invoices/jobs?state=blocked"]').waitFor();
  const stream = page.getByRole("table", { name: "Streams" }).locator("tbody tr");
  await stream
    .locator('a[href$="/streams/readings"]')
    .filter({ hasText: /^[1-9]\d*$/ })
    .first()
    .waitFor();
  await queues.filter({ hasText: "mails" }).getByRole("link", { name: /^\d+$/ }).first().click();
  await page.getByRole("heading", { name: "mails", level: 1 }).waitFor();
});

test("anything is gone to by its name, and a job by its id, with the keyboard alone", async () => {
  await open("/");
  await page.keyboard.press("/");
  // What is typed sooner goes elsewhere.
  await poll(() => page.evaluate(() => document.activeElement?.getAttribute("role"))).toBe("combobox");
  await page.keyboard.type("invo");
  await page.getByRole("option", { name: "invoices queue" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "invoices", level: 1 }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("h");
  await page.getByRole("heading", { name: "Health", level: 1 }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).getByText("Next and previous row").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

/** Texts in cells that go beyond their cell, and are cut by its card without a word. */
function cutTexts(): string[] {
  return [...document.querySelectorAll("td")]
    .filter((cell) => {
      if (getComputedStyle(cell).overflowX !== "visible") return false;
      const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      const range = document.createRange();
      while (texts.nextNode()) {
        const { parentElement: parent } = texts.currentNode;
        if (!parent || getComputedStyle(parent).overflowX !== "visible" || parent.closest("svg")) continue;
        range.selectNodeContents(texts.currentNode);
        if (range.getBoundingClientRect().right > cell.getBoundingClientRect().right + 1) return true;
      }
      return false;
    })
    .map((cell) => cell.innerText);
}

test.each([
  ["light", 1_280],
  ["dark", 1_280],
  ["light", 390],
  ["dark", 390],
] as const)("in the %s colours, %i wide, no view breaks a rule of accessibility, or is wider than the screen", async (scheme, width) => {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height: 900 });
  await page.evaluate(axe);
  const broken: string[] = [];
  for (const view of views) {
    await open(view);
    const violations = await page.evaluate(async () => {
      const run = (
        Reflect.get(window, "axe") as {
          run(where: Document, options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
        }
      ).run;
      return (await run(document, { resultTypes: ["violations"] })).violations.map(
        ({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)}`,
      );
    });
    broken.push(...violations.map((violation) => `${view} ${violation}`));
    const widths = width === 390 ? [320, 390] : [768, 1_280];
    for (const each of widths) {
      await page.setViewportSize({ width: each, height: 900 });
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (beyond > 0) broken.push(`${view} is ${beyond} px too wide at ${each}`);
      broken.push(...(await page.evaluate(cutTexts)).map((text) => `${view} cuts ${text} at ${each}`));
    }
  }
  expect(broken).toEqual([]);
});

test("on a phone the state that is chosen is in sight, ids stay in one piece, and fields beside each other are in one line", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const state of ["blocked", "dead"]) {
    await open(`/queues/invoices/jobs?state=${state}`);
    const chosen = page.getByRole("button", { name: new RegExp(`^${state} \\d`), pressed: true });
    await poll(async () => {
      const box = await chosen.boundingBox();
      return box !== null && box.x >= 0 && box.x + box.width <= 390;
    }).toBe(true);
  }
  await open("/queues/invoices/groups");
  const ids = page.getByRole("table", { name: "Groups" }).locator("a.mono");
  await poll(() => ids.count()).toBe(3);
  const heights = await ids.evaluateAll((links) => links.map((link) => link.getBoundingClientRect().height));
  for (const height of heights) expect(height).toBeLessThan(30);
  await open("/queues/invoices/limits");
  await page.getByRole("button", { name: "Change" }).click();
  const tops = await page
    .getByRole("dialog")
    .getByRole("textbox")
    .evaluateAll((fields) => fields.map((field) => field.getBoundingClientRect().top));
  expect([tops[1], tops[4]]).toEqual([tops[2], tops[5]]);
  await page.keyboard.press("Escape");
});

test("on a phone a wide figure is whole beside the longest of headers", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open("/");
  await page.getByRole("table", { name: "Streams" }).waitFor();
  await page.evaluate(() => {
    for (const cell of document.querySelectorAll("td[data-number=true]")) {
      const text = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode();
      if (text) text.nodeValue = "350 ms";
    }
  });
  expect(await page.evaluate(cutTexts)).toEqual([]);
});

test("who sends a signal begins with its name", async () => {
  await open("/queues/orders/jobs/order-1001");
  await page.getByRole("button", { name: "Send a signal" }).click();
  const name = page.getByRole("dialog").getByRole("textbox", { name: "Name" });
  await poll(() => name.evaluate((field) => field === document.activeElement)).toBe(true);
  await page.keyboard.press("Escape");
});
