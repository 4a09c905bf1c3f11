import { openBrowser } from "@keyline/look/testing";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openLivePage } from "../../site/test/support/live-page.ts";
import { openWholeSite, type WholeSite } from "./support/whole-site.ts";

// Pages are built and opened while other files run.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const timeout = 25_000;

let browser: Browser;
let site: WholeSite;
let page: Page;
let errors: string[];
beforeAll(async () => {
  [browser, site] = await Promise.all([openBrowser(), openWholeSite()]);
  ({ page, errors } = await openLivePage(browser, `${site.url}/`));
});
afterAll(async () => {
  await browser.close();
  await site.close();
});
afterEach(() => expect([errors, site.errors]).toEqual([[], []]));

test("leads to the three applications, by their shapes and by the header", async () => {
  expect(await page.title()).toBe("Keyline: queues, channels and streams");
  const links = async (of: Locator): Promise<(string | null)[]> =>
    of.getByRole("link").evaluateAll((found) => found.map((link) => link.getAttribute("href")));
  expect(await links(page.getByRole("navigation", { name: "Applications" }))).toEqual(["/shop", "/feed", "/reviews"]);
  for (const [name, href] of [
    ["Queue", "/shop"],
    ["Channel", "/feed"],
    ["Stream", "/reviews"],
  ] as const) {
    expect(await links(page.getByRole("region", { name }))).toContain(href);
    expect((await fetch(`${site.url}${href}`)).status).toBe(200);
  }
});

test("orders that are placed in the shop go through the picture of the queue", async () => {
  const orders = page.getByTestId("orders").locator("li");
  expect(await orders.count()).toBe(0);
  await site.post("/api/shop/orders", { details: "a lamp" });
  await expect.poll(() => orders.allInnerTexts(), { timeout }).toEqual(["1"]);
  await expect.poll(() => orders.first().getAttribute("data-stage"), { timeout }).toBe("2");
  const queue = page.getByRole("region", { name: "Queue" });
  await queue.getByRole("button", { name: "Place 10 orders" }).click();
  await expect.poll(async () => (await orders.allInnerTexts()).sort(), { timeout }).toContain("11");
  await queue.getByText("11", { exact: true }).and(page.locator("span")).waitFor({ timeout });
});

test("a post of the feed is heard by everybody who is there", async () => {
  const heard = page.getByTestId("heard");
  expect(await heard.innerText()).toBe("Nothing was published yet.");
  const listeners = page.getByRole("region", { name: "Channel" });
  const feed = await openLivePage(browser, `${site.url}/feed`);
  await listeners.getByText("feed page 1").waitFor({ timeout });
  await site.post("/api/feed/channels/tech_news/posts", { author: "ada", content: "hello everybody" });
  await expect.poll(() => heard.innerText(), { timeout }).toMatch(/^tech_news\s+ada: hello everybody$/);
  await feed.page.getByTestId("posts").getByText("hello everybody").waitFor({ timeout });
  await feed.page.context().close();
  await listeners.getByText("feed page 1").waitFor({ state: "detached", timeout });
  await site.post("/api/feed/channels", { name: "made_meanwhile" });
  await site.post("/api/feed/channels/made_meanwhile/posts", { author: "ada", content: "heard too" });
  // The page may have learned of the channel after the post: the next one it hears.
  await expect
    .poll(
      async () => {
        await site.post("/api/feed/channels/made_meanwhile/posts", { author: "ada", content: "and now" });
        return heard.innerText();
      },
      { timeout },
    )
    .toMatch(/^made_meanwhile\s/);
});

describe("the picture of the stream", () => {
  const events = (): Locator => page.getByTestId("events").locator("li");
  const read = (): Promise<string> => page.getByTestId("event").locator("> span:nth-child(2)").innerText();

  async function react(content: string): Promise<void> {
    await site.post("/api/reviews/1/reactions", { userId: "user_4", action: "reaction", content });
  }

  test("gets each event at its end, and whoever reads there goes on with it", async () => {
    await react("Love it");
    await expect.poll(read, { timeout }).toBe("user_4 reacted: Love it");
    expect(await events().last().getAttribute("data-here")).toBe("true");
    const titles = await events().evaluateAll((dots) => dots.map((dot) => dot.getAttribute("title")));
    const { entries } = (await (await fetch(`${site.url}/v1/streams/Reviews/events?limit=10&reverse=true`)).json()) as {
      entries: { data: { userId: string; content: string } }[];
    };
    expect(titles).toHaveLength(10);
    for (const [index, { data }] of entries.toReversed().entries()) expect(titles[index]).toMatch(`${data.userId} `);
    expect(titles.at(-1)).toBe("user_4 reacted: Love it");
  });

  test("lets one read at another place, and stays there when something is appended", async () => {
    const slider = page.getByRole("slider", { name: "Your place in the stream" });
    await slider.focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    const here = await read();
    expect(here).not.toBe("user_4 reacted: Love it");
    expect(await slider.getAttribute("aria-valuetext")).toBe(here);
    await react("Made me laugh");
    await expect.poll(() => events().last().getAttribute("title"), { timeout }).toBe("user_4 reacted: Made me laugh");
    expect(await read()).toBe(here);
    await page.keyboard.press("End");
    expect(await read()).toBe("user_4 reacted: Made me laugh");
  });

  test("says how far the table of counts is", async () => {
    const placeOf = (locator: Locator): Promise<string> => locator.evaluate((element) => element.style.getPropertyValue("--place"));
    await react("Thumbs up");
    await expect.poll(read, { timeout }).toBe("user_4 reacted: Thumbs up");
    const counts = page.getByRole("region", { name: "Stream" }).getByText("counts", { exact: true });
    await expect.poll(() => placeOf(counts), { timeout }).toBe(await placeOf(events().last()));
  });
});

test("nothing moves for those who want it so", async () => {
  const moved: string[] = [];
  await page.exposeFunction("noteMove", (what: string) => moved.push(what));
  await page.evaluate(() => {
    const note = Reflect.get(window, "noteMove") as (what: string) => void;
    for (const begin of ["animationstart", "transitionrun"]) document.addEventListener(begin, ({ type }) => note(type));
  });
  const happen = async (content: string): Promise<void> => {
    await site.post("/api/feed/channels/tech_news/posts", { author: "ada", content });
    await site.post("/api/reviews/1/reactions", { userId: "user_4", action: "response", content });
    await expect.poll(() => page.getByTestId("heard").innerText(), { timeout }).toContain(content);
    await expect.poll(() => page.getByTestId("events").locator("li").last().getAttribute("title"), { timeout }).toContain(content);
  };
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished)));
  moved.length = 0;
  await happen("standing still");
  expect(moved).toEqual([]);
  await page.emulateMedia({ reducedMotion: "no-preference" });
  await happen("moving");
  await expect.poll(() => moved, { timeout }).toEqual(expect.arrayContaining(["animationstart", "transitionrun"]));
});

test("nothing is wider than the screen, from a phone to a desktop", async () => {
  for (const width of [320, 360, 390, 768, 861, 1_440]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `at ${width}`).toBe(0);
  }
});
