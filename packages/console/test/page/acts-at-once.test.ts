import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { collected } from "../../../keyline/test/support/collected.ts";
import { eventually } from "../../../keyline/test/support/stage.ts";
import { bury, holdRows } from "./support/held-rows.ts";
import { openConsole, poll, secret, tokenOf, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const names = ["ann", "bob"] as const;

let browser: Browser;
let operations: OpenConsole;
let ann: Page;
let bob: Page;
const errors: string[][] = [];
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole({ access: { secret } })]);
  const pages = await Promise.all(
    names.map(async (name) => openPage(browser, `${operations.url}/tasks#token=${await tokenOf("operator", { name })}`)),
  );
  [ann, bob] = pages.map(({ page }) => page) as [Page, Page];
  errors.push(...pages.map((opened) => opened.errors));
});
afterAll(async () => {
  await browser.close();
  await operations.close();
});
afterEach(() => expect([errors.flatMap((each) => each.splice(0)), operations.errors]).toEqual([[], []]));

const url = (path: string): string => operations.url + path;
const dock = (page: Page): Locator => page.getByRole("region", { name: "Running tasks" });
const trail = (page: Page, queue: string): Locator =>
  page
    .getByRole("table", { name: "Audit trail" })
    .locator("tbody tr")
    .filter({ hasText: `queue:${queue}` });

async function beginAll(page: Page, act: "Redrive" | "Discard", count: string): Promise<void> {
  await page.getByRole("button", { name: `${act} all that match` }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: `${act} ${count}` })
    .waitFor();
}
/** By how much its text is wider than the room for it. */
function textBeyond(button: Element): number {
  const range = document.createRange();
  range.selectNodeContents(button);
  const { paddingLeft, paddingRight } = getComputedStyle(button);
  return range.getBoundingClientRect().width - (button.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight));
}
const confirm = (page: Page, act: "Redrive" | "Discard"): Promise<void> =>
  page
    .getByRole("dialog")
    .getByRole("button", { name: new RegExp(`^${act} \\d`) })
    .click();

test("an act on many shows how far it is, and is stopped: what was done stays, and the trail says how many", async () => {
  const queue = operations.keyline.queue("stopped-by-somebody-else-who-looks", { transactional: true });
  await queue.add(0, { delay: 3_600_000 });
  await bury(operations.stage.pool, queue.name, 1_200);
  await operations.knows(`/queues/${queue.name}`, await tokenOf("viewer"));
  const rows = await holdRows(operations.stage.pool, "DELETE");
  await ann.goto(url(`/queues/${queue.name}/letters`));
  await beginAll(ann, "Discard", "1,200");
  await confirm(ann, "Discard");
  await rows.waiting(1);
  await dock(ann).getByText("0 of 1,200").waitFor();
  await rows.letOneGo();
  await dock(ann).getByText("500 of 1,200").waitFor();
  await poll(() => dock(ann).getByRole("progressbar").getAttribute("aria-valuenow")).toMatch(/^41/);
  // Whoever else looks sees it too.
  await dock(bob).getByText("500 of 1,200").waitFor();
  await rows.waiting(1);
  const stop = dock(bob).getByRole("button", { name: /^Stop/ });
  // All of its text is to be seen, however long the name beside it is.
  expect(await stop.evaluate(textBeyond)).toBeLessThan(1);
  await stop.click();
  await eventually("the stop is written down, so it has begun", async () => {
    for await (const { action, who } of operations.keyline.audit.list({ limit: 10 })) if (action === "stop" && who === "bob") return true;
    return false;
  });
  await fetch(operations.url);
  await rows.release();
  await dock(ann).getByText("stopped", { exact: true }).waitFor();
  await dock(ann).getByText("1,000 of 1,200").waitFor();
  expect(await dock(ann).getByRole("button", { name: /^Stop/ }).count()).toBe(0);
  for await (const { action, who, count } of operations.keyline.audit.list({ limit: 10 })) {
    if (action === "stop") expect({ who, count }).toEqual({ who: "bob", count: 1 });
  }
  expect((await queue.counts()).dead).toBe(200);
  await ann.goto(url("/audit"));
  await poll(() => trail(ann, queue.name).allInnerTexts()).toEqual([
    expect.stringMatching(/^stop[\s\S]*bob/),
    expect.stringMatching(/^discard[\s\S]*it was stopped[\s\S]*ann[\s\S]*1,000/),
  ]);
});

test("two operators redrive the same dead letters at once: each job is back once, and the trail has both", async () => {
  const queue = operations.keyline.queue<number>("both", { transactional: true });
  await queue.add(0, { delay: 3_600_000 });
  await bury(operations.stage.pool, queue.name, 40);
  await operations.knows(`/queues/${queue.name}`, await tokenOf("viewer"));
  const ran: number[] = [];
  const rows = await holdRows(operations.stage.pool, "UPDATE");
  for (const page of [ann, bob]) {
    await page.goto(url(`/queues/${queue.name}/letters`));
    await beginAll(page, "Redrive", "40");
  }
  await Promise.all([confirm(ann, "Redrive"), confirm(bob, "Redrive")]);
  // Both have read which there are, and neither has done anything.
  await rows.waiting(2);
  await rows.release();
  for (const page of [ann, bob]) {
    await page.getByText("No dead letters").waitFor();
    // Where they stay: above the other views they are shown for a few seconds after their end.
    await page.goto(url("/tasks"));
    await poll(() => page.getByRole("table", { name: "Tasks" }).getByText("done", { exact: true }).count()).toBe(2);
  }
  expect((await queue.counts()).dead).toBe(0);
  // Jobs and not elements: the relay may have brought a second one of a job, which may run too, and completes nothing.
  expect((await collected(queue.jobs())).map(({ state }) => state).toSorted()).toEqual(["scheduled", ...Array(40).fill("waiting")]);
  const worker = queue.work(() => undefined, { concurrency: 10 });
  worker.on("completed", ({ data }) => ran.push(data));
  worker.on("error", () => undefined);
  await eventually("all ran", async () => (await queue.counts()).waiting === 0 && ran.length >= 40);
  await worker.stop();
  expect(ran.toSorted((one, other) => one - other)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
  const done = new Map<string, number>();
  for await (const { target, who, count } of operations.keyline.audit.list({ limit: 50 })) {
    if (target === `queue:${queue.name}`) done.set(who, count ?? NaN);
  }
  expect([...done.keys()].toSorted()).toEqual(["ann", "bob"]);
  expect([...done.values()].reduce((sum, count) => sum + count)).toBe(40);
});

test("what one operator does another one sees at once, and may do the opposite", async () => {
  const queue = operations.keyline.queue<object>("shared");
  await queue.add({}, { id: "one" });
  await operations.knows(`/queues/${queue.name}`, await tokenOf("viewer"));
  await Promise.all([ann, bob].map((page) => page.goto(url(`/queues/${queue.name}`))));
  await bob.getByRole("button", { name: "Pause", exact: true }).waitFor();
  await ann.getByRole("button", { name: "Pause", exact: true }).click();
  await ann.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await bob.getByText("paused", { exact: true }).waitFor();
  await bob.getByRole("button", { name: "Resume", exact: true }).click();
  await ann.getByRole("button", { name: "Pause", exact: true }).waitFor();
  await poll(() => ann.getByText("paused", { exact: true }).count()).toBe(0);
  expect((await queue.counts()).paused).toBe(false);
  // Both cancel the same job: neither request goes out before both were asked for.
  await Promise.all([ann, bob].map((page) => page.goto(url(`/queues/${queue.name}/jobs/one`))));
  const both = Promise.withResolvers<void>();
  let asked = 0;
  for (const page of [ann, bob]) {
    await page.route("**/cancel", async (route) => {
      if (++asked === 2) both.resolve();
      await both.promise;
      await route.continue();
    });
    await page.getByRole("button", { name: "Cancel the job" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel the job" }).click();
  }
  for (const page of [ann, bob]) await page.getByText("cancelled", { exact: true }).waitFor();
  for (const page of [ann, bob])
    await page
      .getByRole("status")
      .getByText(/^(Cancelled|Nothing was changed)/)
      .waitFor();
  // Who came too late is told without a tick.
  const kinds = [ann, bob].map((page) => page.getByRole("status").locator("[data-kind]").getAttribute("data-kind"));
  expect(new Set(await Promise.all(kinds))).toEqual(new Set(["done", "unchanged"]));
  await bob.goto(url("/audit"));
  await poll(() => trail(bob, queue.name).allInnerTexts()).toHaveLength(4);
  const acts = (await trail(bob, queue.name).allInnerTexts()).map((text) => text.split(/\s+/).filter((word) => word !== ""));
  expect(acts.map(([action]) => action)).toEqual(["cancel", "cancel", "resume", "pause"]);
  // One of the two had nothing to cancel any more.
  const cancelled = new Map<string, number>();
  for await (const { target, action, who, count = NaN } of operations.keyline.audit.list({ limit: 50 })) {
    if (target === `queue:${queue.name}` && action === "cancel") cancelled.set(who, count);
  }
  expect([...cancelled.keys()]).toEqual(expect.arrayContaining([...names]));
  expect([...cancelled.values()].reduce((sum, count) => sum + count)).toBe(1);
});
