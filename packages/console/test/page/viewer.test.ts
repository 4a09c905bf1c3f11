import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { eventually } from "../../../keyline/test/support/stage.ts";
import { bury, holdRows } from "./support/held-rows.ts";
import { openConsole, poll, secret, tokenOf, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

/** What acts there are on each view: their names, as they begin. */
const acts: Readonly<Record<string, readonly string[]>> = {
  "/queues/guarded": ["Add a job", "Pause"],
  "/queues/guarded/jobs/later": ["Run now", "Change", "Send a signal", "Cancel the job"],
  "/queues/guarded/jobs/job-1": ["Redrive", "Discard"],
  "/queues/guarded/letters": ["Redrive all: ", "Discard: ", "Redrive all that match", "Discard all that match"],
  "/queues/guarded/groups": ["Pause: acme"],
  "/queues/guarded/schedules": ["Run now: often", "Pause: often", "Remove: often"],
  "/queues/guarded/limits": ["Change"],
  "/streams/readings": ["Append an entry"],
  "/streams/readings/groups/picky": ["Reset", "Remove", "Redrive all", "Discard all"],
  "/channels/news": ["Publish"],
};

let browser: Browser;
let operations: OpenConsole;
let page: Page;
let errors: string[];
const sent: string[] = [];
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole({ access: { secret } })]);
  const { keyline, stage } = operations;
  const queue = keyline.queue<object>("guarded", { transactional: true });
  await queue.add({}, { id: "later", delay: 3_600_000 });
  await queue.add({}, { group: "acme" });
  await queue.schedule("often", { every: 3_600_000, data: {} });
  await bury(stage.pool, "guarded", 3);
  const stream = keyline.stream<object>("readings");
  const consumer = stream.consume("picky", () => Promise.reject(new Error("no")), { maxAttempts: 1 });
  await stream.append({});
  await eventually("it died", async () => (await stream.groups())[0]?.dead === 1);
  await consumer.stop();
  await keyline.channel("news", { history: { size: 10 } }).list();
  const token = await tokenOf("viewer");
  for (const view of Object.keys(acts)) await operations.knows(view, token);
  ({ page, errors } = await openPage(browser, `${operations.url}/#token=${token}`));
  page.on("request", (request) => {
    if (request.method() !== "GET") sent.push(`${request.method()} ${request.url()}`);
  });
});
afterAll(async () => {
  await browser.close();
  await operations.close();
});

const named = (name: string): ReturnType<Page["getByRole"]> =>
  page.getByRole("main").getByRole("button", { name: new RegExp(`^${name}${name.endsWith(": ") ? "" : "$"}`) });

async function expectRefused(name: string): Promise<void> {
  const button = named(name).first();
  await poll(() => button.getAttribute("aria-disabled")).toBe("true");
  expect(await button.getAttribute("aria-description")).toContain("acting takes the role operator");
  await page.mouse.move(0, 0);
  // Who goes there with the keyboard is told why.
  await page.keyboard.press("Tab");
  await button.focus();
  await poll(() => page.getByRole("tooltip").allInnerTexts()).toEqual([expect.stringContaining("Your token’s role is viewer")]);
  await page.keyboard.press("Enter");
  await button.click({ force: true });
  expect(await page.getByRole("dialog").count(), name).toBe(0);
}

test.each(Object.entries(acts))("on %s a viewer is told of each act why it is not theirs", async (view, names) => {
  await page.goto(operations.url + view);
  for (const name of names) await expectRefused(name);
  // There are no others that would not say so.
  const open = page.getByRole("main").locator("button:not([aria-disabled=true])");
  const others = (await open.evaluateAll((buttons) => buttons.map((button) => button.textContent ?? ""))).map((text) => text.trim());
  expect(
    others.filter((text) => /^(?:Add|Append|Cancel|Change|Discard|Pause|Publish|Redrive|Remove|Reset|Resume|Run|Send|Stop)/.test(text)),
  ).toEqual([]);
  expect([sent, errors]).toEqual([[], []]);
});

test("a viewer may select dead letters, and neither redrive nor discard them", async () => {
  await page.goto(`${operations.url}/queues/guarded/letters`);
  await page.getByRole("checkbox", { name: "Select job-1" }).check();
  for (const name of ["Redrive selected", "Discard selected"]) await expectRefused(name);
  expect([sent, errors]).toEqual([[], []]);
});

test("a viewer sees how far an act is, and why it is not theirs to stop", async () => {
  const { stage, keyline } = operations;
  const rows = await holdRows(stage.pool, "DELETE");
  const begun = await fetch(`${operations.url}/api/queues/guarded/letters/discard`, {
    method: "POST",
    headers: { authorization: `Bearer ${await tokenOf("operator")}`, "content-type": "application/json" },
    body: '{"filter":{}}',
  });
  expect(begun.status).toBe(202);
  await page.goto(`${operations.url}/tasks`);
  await page.getByRole("main").getByText("0 of 3").first().waitFor();
  await expectRefused("Stop: Discard dead letters of queue:guarded");
  expect([sent, errors]).toEqual([[], []]);
  await rows.waiting(1);
  await rows.release();
  await page.getByRole("main").getByText("3 of 3").first().waitFor();
  expect((await keyline.queue("guarded", { transactional: true }).counts()).dead).toBe(0);
});
