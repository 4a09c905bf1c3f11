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
  browser = await openBrowser();
  operations = await openConsole();
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
const entries = (): ReturnType<Page["locator"]> => page.getByRole("table", { name: "Entries" }).locator("tbody tr");

test("entries are read from the end and from an id, and appended to by hand", async () => {
  const stream = operations.keyline.stream<{ n: number }>("numbers");
  const appended = await stream.appendMany(Array.from({ length: 60 }, (_, n) => ({ n })));
  await go("/streams/numbers");
  await poll(() => entries().count()).toBe(50);
  expect(await entries().first().innerText()).toContain('"n":59');
  await button("Append an entry").click();
  await dialog().getByRole("textbox", { name: "Payload" }).fill('{"n":60}');
  await dialog().getByRole("button", { name: "Append an entry" }).click();
  await told(/^Appended as /);
  await poll(() => entries().first().innerText()).toContain('"n":60');
  await page.getByRole("textbox", { name: "From an id on" }).fill(appended[40]?.id ?? "");
  await page.keyboard.press("Enter");
  await poll(() => entries().first().innerText()).toContain('"n":40');
  expect(new URL(page.url()).searchParams.get("from")).toBe(appended[40]?.id);
  await entries().first().locator("summary").click();
  await page.getByRole("region", { name: "Payload, JSON" }).getByText('"n"').waitFor();
});

test("a group's dead letters are redriven and discarded", async () => {
  const stream = operations.keyline.stream<{ n: number }>("failing");
  const consumer = stream.consume(
    "picky",
    ({ data }) => {
      if (data.n % 2 === 1) throw new RangeError(`${data.n} is odd`);
    },
    { maxAttempts: 1 },
  );
  await stream.appendMany(Array.from({ length: 12 }, (_, n) => ({ n })));
  const dead = async (): Promise<number> => (await stream.groups())[0]?.dead ?? -1;
  await eventually("six died", async () => (await dead()) === 6);
  await consumer.stop();
  await go("/streams/failing");
  await page.getByRole("link", { name: "picky" }).first().click();
  const letters = page.getByRole("table", { name: "Dead letters" }).locator("tbody tr");
  await poll(() => letters.count()).toBe(6);
  await letters.first().focus();
  await page.keyboard.press("x");
  await button("Discard selected").click();
  await dialog().getByRole("button", { name: "Discard 1" }).click();
  await told("1 discarded.");
  await eventually("one is gone", async () => (await dead()) === 5);
  await poll(() => letters.count()).toBe(5);
  await letters.first().focus();
  await page.keyboard.press("x");
  await button("Redrive selected").click();
  await dialog().getByRole("button", { name: "Redrive 1" }).click();
  await told("1 redriven.");
  await poll(() => letters.count()).toBe(4);
  await button("Discard all").click();
  await dialog().getByRole("button", { name: "Leave it" }).click();
  expect(await dead()).toBe(4);
  await button("Redrive all").click();
  await dialog().getByText("4 dead letters").waitFor();
  await dialog().getByRole("button", { name: "Redrive 4" }).click();
  const dock = page.getByRole("region", { name: "Running tasks" });
  await dock.getByText("stream:failing/picky").waitFor();
  await eventually("none is left", async () => (await dead()) === 0);
  const again = stream.consume("picky", () => Promise.reject(new Error("no")), { maxAttempts: 1 });
  await eventually("they died again", async () => (await dead()) === 5);
  await again.stop();
  await poll(() => letters.count()).toBe(5);
  await button("Discard all").click();
  await dialog().getByRole("button", { name: "Discard 5" }).click();
  await dock.getByText("5 of 5").waitFor();
  await poll(() => letters.count()).toBe(0);
  expect(await dead()).toBe(0);
});

test("a group is reset and removed only after its name was typed", async () => {
  const stream = operations.keyline.stream<{ n: number }>("resettable");
  const consumer = stream.consume("readers", () => undefined);
  await stream.appendMany([{ n: 1 }, { n: 2 }, { n: 3 }]);
  const lag = async (): Promise<number | undefined> => (await stream.groups())[0]?.lag;
  await eventually("all was read", async () => (await lag()) === 0 && (await stream.groups())[0]?.pending === 0);
  await consumer.stop();
  await go("/streams/resettable/groups/readers");
  await button("Reset").click();
  expect(await dialog().getByRole("button", { name: "Reset" }).isDisabled()).toBe(true);
  await dialog().getByRole("textbox", { name: "Type readers to confirm" }).fill("reader");
  expect(await dialog().getByRole("button", { name: "Reset" }).isDisabled()).toBe(true);
  await dialog().getByRole("textbox", { name: "Type readers to confirm" }).fill("readers");
  await dialog().getByRole("button", { name: "Reset" }).click();
  await told("readers goes on there.");
  await eventually("it begins anew", async () => (await lag()) === 3);
  await button("Remove").click();
  await dialog().getByRole("textbox", { name: "Type readers to confirm" }).fill("readers");
  await dialog().getByRole("button", { name: "Remove" }).click();
  await told("readers is removed.");
  await page.getByText("Nobody consumes this stream as a group.").waitFor();
  expect(await stream.groups()).toEqual([]);
  // The browser says itself that there is no such group any more, where it asks once more before it leaves its page.
  errors.splice(0, errors.length, ...errors.filter((error) => !error.includes("404")));
});

test("what is published on a channel is seen at once, in its tail and in its history", async () => {
  const channel = operations.keyline.channel<{ headline: string }>("front-page", { history: { size: 10 } });
  await channel.list();
  await channel.publish({ headline: "before" });
  const presence = await channel.presence.enter("ada");
  await go("/channels/front-page");
  const history = page.getByRole("table", { name: "History" });
  await history.getByText("before").waitFor();
  await page.getByRole("region", { name: "Who is here" }).getByText("ada").waitFor();
  const tail = page.getByRole("log", { name: "Live" });
  await button("Publish").click();
  await dialog().getByRole("textbox", { name: "Message" }).fill('{"headline":"from the console"}');
  await dialog().getByRole("button", { name: "Publish" }).click();
  await told(/^Published/);
  await tail.getByText("from the console").waitFor();
  await history.getByText("from the console").waitFor();
  await button("Halt").click();
  await channel.publish({ headline: "unheard" });
  await history.getByText("unheard").waitFor();
  expect(await tail.getByText("unheard").count()).toBe(0);
  await presence.leave();
});
