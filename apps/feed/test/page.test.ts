import { openBrowser } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openLivePage } from "../../site/test/support/live-page.ts";
import { createChannel, openFeed, postAll, type TestFeed } from "./support/feed.ts";
import { channelButton, contentsOn, select, writePost } from "./support/page.ts";

// Pages are opened and servers started anew within a test, while other files run.
vi.setConfig({ testTimeout: 90_000 });

let browser: Browser;
let feed: TestFeed;
// One page for all tests that do not break it: as a person has it open for a while.
let page: Page;
let errors: string[];
beforeAll(async () => {
  [browser, feed] = await Promise.all([openBrowser(), openFeed()]);
  ({ page, errors } = await openLivePage(browser, `${feed.url}/feed`));
});
afterAll(async () => {
  await browser.close();
  await feed.close();
});
afterEach(() => expect(errors).toEqual([]));

const timeout = 20_000;

async function openSecond(): Promise<Page> {
  return (await openLivePage(browser, `${feed.url}/feed`)).page;
}

function readers(of: Page): Promise<string[]> {
  return of.getByTestId("readers").locator("li").allInnerTexts();
}

test("there is something to read, and somebody to be", async () => {
  await expect.poll(() => contentsOn(page), { timeout }).toHaveLength(6);
  expect(await page.getByLabel("Your name").inputValue()).toMatch(/^guest-\d{4}$/);
  expect(await contentsOn(page)).not.toContainEqual(expect.stringContaining("Nobody follows this channel"));
});

test("two pages see each other's posts as they happen, each once", async () => {
  const second = await openSecond();
  await select(page, "tech_news");
  await select(second, "tech_news");
  await writePost(page, "from the first page");
  await writePost(second, "from the second page");
  for (const each of [page, second]) {
    const seen = async (): Promise<string[]> => (await contentsOn(each)).filter((content) => content.startsWith("from the"));
    await expect.poll(async () => (await seen()).sort(), { timeout }).toEqual(["from the first page", "from the second page"]);
  }
  expect(await page.getByLabel("Your post").inputValue()).toBe("");
  await second.context().close();
});

test("a channel made in one page is there in the other, which can follow it", async () => {
  const second = await openSecond();
  await page.getByLabel("New channel").fill("release notes");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "#release_notes" }).waitFor();
  await channelButton(second, "release_notes").waitFor({ timeout });
  await second.getByRole("button", { name: "Follow release_notes" }).click();
  await page.getByLabel("Your post").fill("with the keyboard");
  await page.keyboard.press("Control+Enter");
  await expect.poll(() => contentsOn(page), { timeout }).toEqual(["with the keyboard"]);
  await expect.poll(() => contentsOn(second), { timeout }).toContain("with the keyboard");
  await second.reload();
  await expect.poll(() => contentsOn(second), { timeout }).toContain("with the keyboard");
  await second.context().close();
});

test("a channel that exists, and a name that is none, are refused beside the field", async () => {
  for (const [name, problem] of [
    ["tech_news", "There is a channel tech_news already"],
    ["a/b", "The name of a channel is 1 to 50 letters, digits, _ and -"],
    ["", "Give it a name."],
  ] as const) {
    await page.getByLabel("New channel").fill(name);
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText(problem).waitFor({ timeout });
    expect(await page.getByLabel("New channel").getAttribute("aria-invalid")).toBe("true");
  }
  await page.getByLabel("New channel").fill("");
  // The browser's own note of the answers.
  expect(errors.splice(0)).toEqual([expect.stringContaining("409"), expect.stringContaining("400")]);
});

test("what is no longer followed is not shown, and comes back when it is followed again", async () => {
  await channelButton(page, "All you follow").click();
  await expect.poll(() => contentsOn(page), { timeout }).toContainEqual(expect.stringContaining("second window"));
  await page.getByRole("button", { name: "Follow try_this" }).click();
  await expect.poll(() => contentsOn(page), { timeout }).not.toContainEqual(expect.stringContaining("second window"));
  await page.getByRole("button", { name: "Follow try_this" }).click();
  await expect.poll(() => contentsOn(page), { timeout }).toContainEqual(expect.stringContaining("second window"));
});

test("an empty post is refused beside the field, and nothing is posted", async () => {
  const { rows } = await feed.pool.query("SELECT max(post_id) AS newest FROM posts");
  await writePost(page, "  ");
  await page.getByText("Write something first.").waitFor();
  expect(await page.getByLabel("Your post").getAttribute("aria-invalid")).toBe("true");
  expect((await feed.pool.query("SELECT max(post_id) AS newest FROM posts")).rows).toEqual(rows);
});

test("what others write is text, whatever it is", async () => {
  const content = `<img src=x onerror="document.title='broken'"> <script>document.title='broken'</script>`;
  await postAll(feed.url, "tech_news", [content]);
  await expect.poll(() => contentsOn(page), { timeout }).toContain(content);
  expect(await page.title()).toBe("Feed - Keyline");
});

test("a post that fails is shown with the title of the problem, and is still there to be sent again", async () => {
  const body = JSON.stringify({ title: "PostgreSQL does not answer: nothing was saved", status: 503, code: "POSTGRES_UNAVAILABLE" });
  await page.route("**/posts", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body }));
  await writePost(page, "not yet");
  const alert = page.getByRole("alert").filter({ hasText: "nothing was saved" });
  await alert.waitFor();
  expect(await page.getByLabel("Your post").inputValue()).toBe("not yet");
  await page.unrouteAll();
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await expect.poll(() => contentsOn(page), { timeout }).toContain("not yet");
  await alert.getByRole("button", { name: "Close" }).click();
  expect(errors.splice(0)).toEqual([expect.stringContaining("503")]);
});

describe("who is here", () => {
  test("is shown by name, and is gone when the page is closed", async () => {
    await expect.poll(() => readers(page), { timeout }).toEqual([expect.stringMatching(/^guest-\d{4}\s*you$/)]);
    const second = await openSecond();
    const name = await second.getByLabel("Your name").inputValue();
    await expect.poll(() => readers(page), { timeout }).toContain(name);
    await expect.poll(async () => (await readers(second)).length, { timeout }).toBe(2);
    await second.context().close();
    await expect.poll(() => readers(page), { timeout }).toEqual([expect.stringMatching(/you$/)]);
  });

  test("goes by a new name as soon as it is given, and keeps it", async () => {
    const second = await openSecond();
    await second.getByLabel("Your name").fill("Ünü");
    await second.keyboard.press("Tab");
    await expect.poll(() => readers(page), { timeout }).toContain("Ünü");
    expect(await readers(page)).toHaveLength(2);
    await second.reload();
    expect(await second.getByLabel("Your name").inputValue()).toBe("Ünü");
    await second.context().close();
  });
});

test("the weather of all cities is there, and changes by itself", async () => {
  const city = page.getByTestId("weather").locator("li", { hasText: "weather.oslo" });
  await city.waitFor({ timeout });
  await page.getByText("Simulated", { exact: true }).waitFor();
  expect(await page.getByTestId("weather").locator("li").count()).toBe(6);
  const before = await city.innerText();
  await expect.poll(() => city.innerText(), { timeout }).not.toBe(before);
});

describe("a long channel", () => {
  const all = Array.from({ length: 75 }, (_, index) => `line ${index + 1}`);
  let reader: Page;
  beforeAll(async () => {
    await createChannel(feed.url, "long");
    await postAll(feed.url, "long", all);
    reader = await openSecond();
    await select(reader, "long");
  });
  afterAll(() => reader.context().close());

  test("is loaded page by page, from the newest to the oldest", async () => {
    await expect.poll(() => contentsOn(reader), { timeout }).toEqual(all.toReversed().slice(0, 30));
    const more = reader.getByRole("button", { name: "Show older posts" });
    await more.click();
    await expect.poll(() => contentsOn(reader), { timeout }).toEqual(all.toReversed().slice(0, 60));
    await more.click();
    await expect.poll(() => contentsOn(reader), { timeout }).toEqual(all.toReversed());
    await more.waitFor({ state: "detached" });
  });

  test("keeps still under who reads further down: what is new waits above, and comes when asked for", async () => {
    await reader.getByText("line 30", { exact: true }).scrollIntoViewIfNeeded();
    const place = (): Promise<number | undefined> =>
      reader
        .getByText("line 30", { exact: true })
        .boundingBox()
        .then((box) => box?.y);
    const before = await place();
    await postAll(feed.url, "long", ["new 1", "new 2"]);
    const pill = reader.getByRole("button", { name: "2 new posts" });
    await pill.waitFor({ timeout });
    expect(await place()).toBe(before);
    expect(await contentsOn(reader)).not.toContain("new 1");
    await pill.click();
    await expect.poll(async () => (await contentsOn(reader)).slice(0, 3), { timeout }).toEqual(["new 2", "new 1", "line 75"]);
    expect(await reader.evaluate(() => scrollY)).toBe(0);
    await pill.waitFor({ state: "detached" });
  });
});

test("the header leads to the other applications", async () => {
  const nav = page.getByRole("navigation", { name: "Applications" });
  expect(await nav.getByRole("link").evaluateAll((links) => links.map((link) => link.getAttribute("href")))).toEqual([
    "/shop",
    "/feed",
    "/reviews",
  ]);
  expect(await nav.getByRole("link", { name: "Feed" }).getAttribute("aria-current")).toBe("page");
});

test("the colours follow the system", async () => {
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await expect.poll(() => page.locator("html").getAttribute("data-mantine-color-scheme")).toBe(colorScheme);
  }
});

test("nothing is wider than the screen, from a phone to a desktop", async () => {
  await postAll(feed.url, "tech_news", ["x".repeat(500)]);
  await expect.poll(() => contentsOn(page), { timeout }).toContain("x".repeat(500));
  for (const width of [320, 390, 761, 900, 1_101, 1_440]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `at ${width}`).toBe(0);
  }
});

test("a phone shows one part at a time", async () => {
  await page.setViewportSize({ width: 390, height: 800 });
  const weather = page.getByRole("heading", { name: "Weather" });
  expect(await weather.isVisible()).toBe(false);
  await page.getByRole("radiogroup", { name: "Part of the page" }).getByText("Weather").click();
  await weather.waitFor();
  expect(await page.getByTestId("posts").isVisible()).toBe(false);
  await page.getByRole("radiogroup", { name: "Part of the page" }).getByText("Channels").click();
  await channelButton(page, "tech_news").click();
  await page.getByTestId("posts").waitFor();
  await page.setViewportSize({ width: 1_440, height: 900 });
});

test("everything that can be operated is reached with the keyboard and has a name", async () => {
  const names: string[] = [];
  await page.getByRole("link", { name: "Skip to the content" }).focus();
  for (let step = 0; step < 26; step++) {
    names.push(await page.evaluate(nameOfFocus));
    await page.keyboard.press("Tab");
  }
  expect(names).toEqual(
    expect.arrayContaining([
      "Shop",
      "All you follow",
      "Follow tech_news",
      "New channel",
      "Create",
      "Your post",
      "Channel",
      "Your name",
      "Post",
    ]),
  );
  expect(names).not.toContain("");
});

/** Runs in the page. */
function nameOfFocus(): string {
  const element = document.activeElement;
  const isField = element instanceof HTMLInputElement || element instanceof HTMLSelectElement;
  const label = isField ? element.labels?.[0]?.textContent : undefined;
  return (element?.getAttribute("aria-label") ?? label ?? element?.textContent ?? "").trim();
}
