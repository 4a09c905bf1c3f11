import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";
import { plantMinutes } from "./support/plant-minutes.ts";

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
const numbersIn = (texts: readonly string[]): number[] => texts.map((text) => Number(/"n":(\d+)/.exec(text)?.[1]));

test("a channel's history is paged back to the first message that is kept, while it is live", async () => {
  const channel = operations.keyline.channel<{ n: number }>("long", { history: { size: 1_000 } });
  await channel.list();
  for (let n = 0; n < 200; n++) await channel.publish({ n });
  await go("/channels/long");
  const rows = page.getByRole("table", { name: "History" }).locator("tbody tr");
  const more = page.getByRole("region", { name: "History" }).getByRole("button", { name: "Show more" });
  for (const shown of [50, 100, 150]) {
    await poll(() => rows.count()).toBe(shown);
    await more.click();
  }
  await poll(() => rows.count()).toBe(200);
  await more.waitFor({ state: "detached" });
  await page.getByRole("region", { name: "History" }).getByText("200 in all").waitFor();
  expect(numbersIn(await rows.allInnerTexts())).toEqual(Array.from({ length: 200 }, (_, index) => 199 - index));
  // What comes stands on top, and nothing is left out or twice because of it.
  await channel.publish({ n: 200 });
  await poll(async () => numbersIn(await rows.allInnerTexts()).slice(0, 2)).toEqual([200, 199]);
  const seen = numbersIn(await rows.allInnerTexts());
  expect(seen).toEqual(seen.map((_, index) => 200 - index));
});

test("the live tail goes on where it was when the server is back, and says where messages may be missing", async () => {
  const kept = operations.keyline.channel<{ n: number }>("resumed", { history: {} });
  const unkept = operations.keyline.channel<{ n: number }>("unkept");
  await Promise.all([kept.list(), unkept.list()]);
  for (const [name, channel, isKept] of [
    ["resumed", kept, true],
    ["unkept", unkept, false],
  ] as const) {
    await go(`/channels/${name}`);
    const tail = page.getByRole("log", { name: "Live" });
    await page.getByText("Live", { exact: true }).first().waitFor();
    // Until it is heard.
    let heard = 0;
    await poll(async () => {
      await channel.publish({ n: heard++ });
      return tail.getByText(/"n":\d+/).count();
    }).toBeGreaterThan(0);
    await tail.getByText(`"n":${heard - 1}}`).waitFor();
    await operations.halt();
    await page.getByText("Offline", { exact: true }).waitFor({ timeout: 30_000 });
    await channel.publish({ n: 1_000 });
    await operations.restart();
    await page.getByText("Offline", { exact: true }).waitFor({ state: "detached", timeout: 30_000 });
    // Until it is heard again: whoever does not keep messages has no others.
    let said = 1_000;
    await poll(async () => {
      await channel.publish({ n: ++said });
      return tail.getByText(/"n":100[1-9]|"n":10[1-9]\d/).count();
    }).toBeGreaterThan(0);
    expect(await tail.getByText('"n":1000}').count()).toBe(isKept ? 1 : 0);
    expect(await tail.getByText("Some messages may be missing here").count()).toBe(isKept ? 0 : 1);
    const numbers = numbersIn(await tail.locator("> *").allInnerTexts()).filter((n) => !Number.isNaN(n));
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    expect(new Set(numbers).size).toBe(numbers.length);
    if (isKept) expect(numbers.slice(numbers.indexOf(1_000))).toEqual(numbers.slice(numbers.indexOf(1_000)).map((_, n) => 1_000 + n));
  }
  // The browser says itself that nobody answered.
  errors.length = 0;
});

test("who listens, how much is said, and who is here stands above", async () => {
  const channel = operations.keyline.channel<number>("counted");
  await channel.list();
  await plantMinutes(operations.stage, "{counted}:channel-rates", { published: 7, received: 21 });
  await go("/channels/counted");
  const tile = (label: string): Promise<string | null> =>
    page.getByRole("group", { name: "Figures of this channel" }).locator("> *").filter({ hasText: label }).first().textContent();
  // The console's own tail is one of them, as its process listens.
  await poll(() => tile("listening")).toBe("listening1process, without patterns");
  const other = operations.stage.keyline().channel<number>("counted");
  const subscription = other.subscribe(() => undefined);
  await subscription.ready;
  await poll(() => tile("listening")).toBe("listening2processes, without patterns");
  expect(await tile("published")).toBe("published7a minute");
  expect(await tile("received")).toBe("received21a minute");
  expect(await tile("present")).toBe("present0");
  const members = await Promise.all(["ada", "grace"].map((name) => other.presence.enter(name)));
  await poll(() => tile("present")).toBe("present2");
  const here = page.getByRole("list", { name: "Who is here" }).getByRole("listitem");
  await poll(() => here.count()).toBe(2);
  expect((await here.allInnerTexts()).map((text) => text.split(/\s/)[0])).toEqual(["ada", "grace"]);
  await Promise.all(members.map((member) => member.leave()));
  await poll(() => tile("present")).toBe("present0");
  await page.getByText("Nobody is here").waitFor();
  await subscription.close();
});

test("the page of a channel that there is not says so, hears of all else, and shows it when it comes", async () => {
  const told = page.getByRole("banner").getByRole("status");
  const heardOf = (status: number): Promise<unknown> =>
    page.waitForResponse((response) => response.url().includes("/api/live?") && response.status() === status);
  const [refused] = await Promise.all([heardOf(404), page.goto(`${operations.url}/channels/to-come`)]);
  expect(refused).toBeDefined();
  await page.getByText("There is no channel to-come").waitFor();
  await heardOf(200);
  // Asked for again, and again there is none.
  await heardOf(404);
  await heardOf(200);
  expect(await told.innerText()).toBe("Live");
  const channel = operations.keyline.channel<string>("to-come", { history: {} });
  await channel.list();
  await channel.publish("it is there");
  await page.getByRole("region", { name: "History" }).getByText("it is there").waitFor();
  await channel.publish("and heard of");
  await page.getByRole("region", { name: "History" }).getByText("and heard of").waitFor();
  // The browser says itself that the answers were 404.
  errors.splice(0, errors.length, ...errors.filter((error) => !error.includes("404")));
});
