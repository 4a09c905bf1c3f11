import { once } from "node:events";
import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { eventually } from "../../../keyline/test/support/stage.ts";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";

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
const dialog = (): ReturnType<Page["getByRole"]> => page.getByRole("dialog");
const button = (name: string): ReturnType<Page["getByRole"]> => page.getByRole("button", { name, exact: true });
const told = (text: string | RegExp): Promise<void> => page.getByRole("status").getByText(text).waitFor();
const write = (name: string, text: string): Promise<void> => dialog().getByRole("textbox", { name }).fill(text);
async function choose(label: string, option: string): Promise<void> {
  await dialog().getByLabel(label).and(page.locator("input")).click();
  await page.getByRole("option", { name: option, exact: true }).click();
}

test("the handler of a running job that is cancelled is told to stop", async () => {
  const queue = operations.keyline.queue<object>("cancelling");
  const stopped = Promise.withResolvers<unknown>();
  const worker = queue.work(async ({ signal }) => {
    await once(signal, "abort");
    stopped.resolve(signal.reason);
  });
  await queue.add({}, { id: "long-one" });
  await eventually("it runs", async () => (await queue.job("long-one"))?.state === "running");
  await go("/queues/cancelling/jobs/long-one");
  await page.getByText("running", { exact: true }).first().waitFor();
  await button("Cancel the job").click();
  await dialog().getByText("a handler that runs it is told to stop").waitFor();
  await dialog().getByRole("button", { name: "Cancel the job" }).click();
  await told("Its handler is told to stop.");
  expect(await stopped.promise).toMatchObject({ code: "JOB_CANCELLED" });
  await worker.stop();
});

test("when a job is due and how urgent it is are changed", async () => {
  const queue = operations.keyline.queue<{ to: string }>("changing");
  await queue.add({ to: "ada" }, { id: "one", delay: 3_600_000 });
  await go("/queues/changing/jobs/one");
  const before = (await queue.job("one"))?.dueAt ?? NaN;
  await button("Change").click();
  expect(await button("Change the job").isDisabled()).toBe(true);
  await write("Run it in … seconds", "36000");
  await choose("Priority", "high");
  await button("Change the job").click();
  await told("It is changed.");
  const job = await queue.job("one");
  expect(job).toMatchObject({ state: "scheduled", priority: "high", data: { to: "ada" } });
  expect(job?.dueAt).toBeGreaterThanOrEqual(before + 32_400_000 - 1);
});

test("a job is added for later, with its priority and its group", async () => {
  const queue = operations.keyline.queue<object>("adding");
  await queue.add({}, { delay: 3_600_000 });
  await go("/queues/adding");
  await button("Add a job").click();
  await write("Payload", '{"to":"grace"}');
  await write("Delay in seconds", "3600");
  await choose("Priority", "low");
  await write("Group", "Müller & Co");
  await dialog().getByRole("button", { name: "Add a job" }).click();
  await told(/^Added as /);
  const [, id = ""] =
    /^Added as (\S+)\.$/.exec(
      await page
        .getByRole("status")
        .getByText(/^Added as /)
        .innerText(),
    ) ?? [];
  const job = await queue.job(id);
  expect(job).toMatchObject({ state: "scheduled", priority: "low", group: "Müller & Co", data: { to: "grace" } });
  expect(job?.dueAt).toBeGreaterThanOrEqual((job?.addedAt ?? NaN) + 3_600_000 - 1);
});

test.each([false, true])(
  "what failed and waits for its next attempt is found by its error, and tried now (transactional: %s)",
  async (transactional) => {
    const options = { transactional, backoff: { type: "fixed", delay: 3_600_000 } } as unknown as { transactional: false };
    const queue = operations.keyline.queue<{ to: string }>(`retrying-${transactional}`, options);
    const second = Promise.withResolvers<number>();
    const worker = queue.work(({ id, attempt, data: { to } }) => {
      if (attempt === 1) throw new RangeError(`the mailbox of ${to} is full`);
      if (id === "full-ada") second.resolve(attempt);
    });
    await queue.addMany(["ada", "grace"].map((to) => ({ data: { to }, id: `full-${to}` })));
    // It is scheduled like them, and has the text in its data alone.
    await queue.add({ to: "the mailbox of ada" }, { id: "later", delay: 3_600_000 });
    await eventually("both failed once", async () => {
      const jobs = await Promise.all(["full-ada", "full-grace"].map((id) => queue.job(id)));
      return jobs.every((job) => job?.state === "scheduled" && job.attempts === 1);
    });
    await go(`/queues/${queue.name}/jobs`);
    const rows = page.getByRole("table", { name: "Jobs" }).locator("tbody tr");
    await poll(() => rows.count()).toBe(3);
    const search = page.getByRole("textbox", { name: "Error contains" });
    expect(await search.count()).toBe(0);
    await page.getByRole("button", { name: /^scheduled/ }).click();
    await search.fill("mailbox of ada");
    await page.keyboard.press("Enter");
    await poll(() => rows.allInnerTexts()).toEqual([expect.stringContaining("RangeError: the mailbox of ada is full")]);
    expect(new URL(page.url()).searchParams.get("error")).toBe("mailbox of ada");
    expect(await page.getByRole("textbox", { name: "Payload contains" }).count()).toBe(Number(transactional));
    // It survives a look at the job.
    await rows.getByRole("link", { name: "full-ada" }).click();
    const attempts = page.getByRole("region", { name: "Failed attempts" });
    await attempts.getByText("the mailbox of ada is full").waitFor();
    await attempts.getByText("Stack", { exact: true }).click();
    const stack = page.getByRole("region", { name: "Stack of RangeError: the mailbox of ada is full" });
    await stack.getByText("job-acts.test.ts").first().waitFor();
    await page.goBack();
    await poll(() => rows.count()).toBe(1);
    await rows.getByRole("link", { name: "full-ada" }).click();
    await button("Run now").click();
    await told("It is ready now.");
    expect(await second.promise).toBe(2);
    await eventually("it has ended", async () => (await queue.job("full-ada"))?.state !== "running");
    // The browser says itself that nothing is left of a job that has completed.
    errors.splice(0, errors.length, ...errors.filter((error) => !error.includes("404")));
    // Where states are listed that change while they are looked at, nothing is searched.
    await go(`/queues/${queue.name}/jobs?state=scheduled&error=ada`);
    await page.getByText("No jobs").waitFor();
    await page.getByRole("button", { name: /^running/ }).click();
    expect(new URL(page.url()).search).toBe("?state=running");
    await worker.stop();
    // The browser says itself that nothing is left of a job that has completed.
    errors.splice(0, errors.length, ...errors.filter((error) => !error.includes("404")));
  },
);

/** As somebody goes there who has no mouse. */
async function tabTo(name: string): Promise<void> {
  const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent ?? "");
  for (let steps = 0; (await focused()) !== name; steps++) {
    if (steps === 80) throw new Error(`Nothing named ${name} is reached with Tab`);
    await page.keyboard.press("Tab");
  }
}

test("an act is done with the keyboard alone", async () => {
  const queue = operations.keyline.queue<object>("by-hand");
  await queue.add({});
  await go("/queues/by-hand");
  await button("Pause").waitFor();
  await tabTo("Pause");
  await page.keyboard.press("Enter");
  // What changes nothing comes first.
  await poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Leave it");
  expect((await queue.counts()).paused).toBe(false);
  await page.keyboard.press("Enter");
  await dialog().waitFor({ state: "detached" });
  expect((await queue.counts()).paused).toBe(false);
  await tabTo("Pause");
  await page.keyboard.press("Enter");
  await poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Leave it");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await told("by-hand is paused.");
  expect((await queue.counts()).paused).toBe(true);
  await button("Resume").waitFor();
  await tabTo("Resume");
  await page.keyboard.press("Enter");
  await told("by-hand goes on.");
  expect((await queue.counts()).paused).toBe(false);
});
