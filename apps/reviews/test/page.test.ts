import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { openBrowser } from "@keyline/look/testing";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openLivePage } from "../../site/test/support/live-page.ts";
import { readMessages } from "../../site/test/support/live-messages.ts";
import { Network } from "../../site/test/support/network.ts";
import { freePort } from "../../site/test/support/port.ts";
import { openReviews, type TestReviews } from "./support/reviews.ts";

// Pages are opened and servers started anew within a test, while other files run.
vi.setConfig({ testTimeout: 90_000 });

const timeout = 25_000;

let browser: Browser;
let reviews: TestReviews;
let network: Network;
// A Valkey of its own, to be emptied.
let valkey: EmbeddedValkey;
beforeAll(async () => {
  const port = await freePort();
  [browser, valkey] = await Promise.all([openBrowser(), startValkey()]);
  reviews = await openReviews({ valkeyUrl: valkey.url, moreOrigins: [`http://127.0.0.1:${port}`] });
  network = new Network({ port, target: reviews.port });
  await network.mend();
});
afterAll(async () => {
  await browser.close();
  await network.cut();
  await reviews.close();
  await valkey.stop();
});
afterEach(() => expect(reviews.errors).toEqual([]));

interface Opened {
  readonly page: Page;
  readonly errors: string[];
}

async function openAs(userId: string, url = reviews.url): Promise<Opened> {
  const opened = await openLivePage(browser, `${url}/reviews`);
  await signIn(opened.page, userId);
  return opened;
}

async function signIn(page: Page, userId: string): Promise<void> {
  await page.getByLabel("Your name").fill(userId);
  await page.keyboard.press("Enter");
  await bell(page).waitFor({ timeout });
  await whenLive(page);
}

async function whenLive(page: Page): Promise<void> {
  await page.getByText("Live", { exact: true }).waitFor({ timeout });
}

const bell = (page: Page): Locator => page.getByRole("button", { name: /^Notifications/ });
const bellOf = (page: Page, count: number): Locator => page.getByRole("button", { name: `Notifications, ${count} new`, exact: true });
const card = (page: Page, reviewId: number): Locator => page.locator(`[data-review="${reviewId}"]`);

async function openTimeline(page: Page, reviewId: number): Promise<void> {
  await card(page, reviewId)
    .getByRole("button", { name: /timeline of/ })
    .click();
  await card(page, reviewId).getByTestId("timeline").locator("li").first().waitFor({ timeout });
}

/** What the timeline says, without the times. */
function timelineOn(page: Page, reviewId: number): Promise<string[]> {
  return card(page, reviewId)
    .getByTestId("timeline")
    .locator("li")
    .evaluateAll((rows) =>
      rows.map((row) => Array.from(row.querySelectorAll("span > *:not(svg)"), ({ textContent }) => textContent).join(" ")),
    );
}

/** Every line of the open list of notifications, newest first: who and what, or what a divider says. */
async function notificationsOn(page: Page): Promise<string[]> {
  return page
    .getByTestId("notifications")
    .locator("> li")
    .evaluateAll((rows) =>
      rows.map((row) => {
        const text = row.querySelector("button > span:nth-of-type(1) > span:first-child") ?? row;
        return text.textContent.trim();
      }),
    );
}

async function openBell(page: Page): Promise<void> {
  await bell(page).click();
  await page.getByTestId("notifications").waitFor();
}

async function closeBell(page: Page): Promise<void> {
  await page.keyboard.press("Escape");
  await page.getByTestId("notifications").waitFor({ state: "detached" });
}

/** Resolves when that many notifications of this author are published: what is told to an author is committed before. */
async function whenPublished(userId: string, wanted: number): Promise<void> {
  await readMessages(reviews.url, { channel: `notifications:${userId}`, token: await reviews.signIn(userId), wanted });
}

async function loseEverything(): Promise<void> {
  const admin = new Keyline({ valkey: valkey.url });
  await admin.command("FLUSHALL");
  await admin.close();
}

test("a review is written with the keyboard, and is there in the other browser", async () => {
  const ada = await openAs("ada lovelace");
  const bob = await openLivePage(browser, `${reviews.url}/reviews`);
  expect(await ada.page.getByTestId("user").innerText()).toBe("ada_lovelace");
  const content = `<img src=x onerror="document.title='broken'"> and soup`;
  await ada.page.getByLabel("Your review").fill(content);
  await ada.page.keyboard.press("Control+Enter");
  for (const { page } of [ada, bob]) {
    const review = page.getByTestId("reviews").locator("> li", { hasText: content });
    await review.waitFor({ timeout });
    await review.getByText("ada_lovelace", { exact: true }).waitFor();
  }
  expect(await ada.page.getByLabel("Your review").inputValue()).toBe("");
  expect(await bob.page.title()).toBe("Reviews - Keyline");
  expect([...ada.errors, ...bob.errors]).toEqual([]);
  await ada.page.context().close();
  await bob.page.context().close();
});

test("a reaction and a reply in one browser ring the bell in the author's", async () => {
  const author = await openAs("author_1");
  const reviewId = await reviews.review("author_1", "The pasta here is incredible!");
  const other = await openAs("user_2");
  const review = card(other.page, reviewId);
  await review.getByRole("button", { name: "Thumbs up", exact: true }).click();
  await bellOf(author.page, 1).waitFor({ timeout });
  await author.page.getByRole("status").filter({ hasText: "user_2 reacted to your review: Thumbs up" }).waitFor({ state: "attached" });
  await openTimeline(other.page, reviewId);
  await review.getByLabel("Your reply").fill("I agree!");
  await review.getByRole("button", { name: "Send" }).click();
  await bellOf(author.page, 2).waitFor({ timeout });
  await openBell(author.page);
  expect(await notificationsOn(author.page)).toEqual(["user_2 replied: I agree!", "user_2 reacted: Thumbs up"]);
  await author.page.getByRole("button", { name: /replied: I agree!/ }).click();
  await expect
    .poll(() => timelineOn(author.page, reviewId), { timeout })
    .toEqual(["author_1 wrote the review", "user_2 Thumbs up", "user_2 I agree!"]);
  expect(await bell(author.page).getAttribute("aria-label")).toBe("Notifications");
  for (const { page } of [author, other]) {
    await card(page, reviewId).getByRole("button", { name: "Thumbs up, 1", exact: true }).waitFor({ timeout });
    await card(page, reviewId).getByRole("button", { name: "1 reply, timeline of 3 events" }).waitFor({ timeout });
  }
  expect([...author.errors, ...other.errors]).toEqual([]);
  await other.page.context().close();
  await author.page.context().close();
});

test("a timeline that is open goes on by itself", async () => {
  const reviewId = await reviews.review("ada", "watch me");
  const { page } = await openLivePage(browser, `${reviews.url}/reviews`);
  await openTimeline(page, reviewId);
  const all = ["ada wrote the review"];
  for (const content of ["Love it", "Thumbs up", "Made me laugh"]) {
    await reviews.react(reviewId, { userId: "user_2", content });
    all.push(`user_2 ${content}`);
    await expect.poll(() => timelineOn(page, reviewId), { timeout }).toEqual(all);
  }
  await page.context().close();
});

describe("an author who was away", () => {
  test("gets what came meanwhile, in order and once, above a line that says how much it was", async () => {
    const reviewId = await reviews.review("author_2", "away and back");
    const { page } = await openAs("author_2", network.url);
    await reviews.react(reviewId, { userId: "user_2", content: "before" });
    await bellOf(page, 1).waitFor({ timeout });
    await openBell(page);
    await closeBell(page);
    await network.cut();
    await page.getByText("Offline", { exact: true }).waitFor({ timeout });
    await page.setViewportSize({ width: 360, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
    await page.setViewportSize({ width: 1_440, height: 900 });
    for (const content of ["first", "second", "third"]) await reviews.react(reviewId, { userId: "user_3", action: "response", content });
    await whenPublished("author_2", 4);
    await network.mend();
    await bellOf(page, 3).waitFor({ timeout });
    await openBell(page);
    const missed = ["user_3 replied: third", "user_3 replied: second", "user_3 replied: first", "You missed 3 notifications"];
    await expect.poll(() => notificationsOn(page), { timeout }).toEqual([...missed, "user_2 reacted: before"]);
    await closeBell(page);
    await reviews.react(reviewId, { userId: "user_2", content: "after" });
    await bellOf(page, 1).waitFor({ timeout });
    await openBell(page);
    expect(await notificationsOn(page)).toEqual(["user_2 reacted: after", ...missed, "user_2 reacted: before"]);
    await page.context().close();
  });

  test("and had closed the page, gets them too, and is told of those that are gone", async () => {
    const reviewId = await reviews.review("author_3", "closed and opened");
    const { page } = await openAs("author_3");
    await reviews.react(reviewId, { userId: "user_2", content: "before" });
    await bellOf(page, 1).waitFor({ timeout });
    const storageState = await page.context().storageState();
    await page.context().close();

    for (const content of ["first", "second"]) await reviews.react(reviewId, { userId: "user_3", content });
    await whenPublished("author_3", 3);
    const later = await browser.newContext({ storageState });
    const back = await later.newPage();
    await back.goto(`${reviews.url}/reviews`);
    await bellOf(back, 3).waitFor({ timeout });
    await openBell(back);
    const seen = ["user_3 reacted: second", "user_3 reacted: first", "You missed 2 notifications", "user_2 reacted: before"];
    expect(await notificationsOn(back)).toEqual(seen);
    await closeBell(back);
    const laterState = await later.storageState();
    await later.close();

    for (const content of ["third", "fourth"]) await reviews.react(reviewId, { userId: "user_4", content });
    await whenPublished("author_3", 5);
    await loseEverything();
    for (const content of ["fifth", "sixth"]) await reviews.react(reviewId, { userId: "user_4", content });
    await whenPublished("author_3", 2);
    const last = await browser.newContext({ storageState: laterState });
    const again = await last.newPage();
    await again.goto(`${reviews.url}/reviews`);
    await bellOf(again, 2).waitFor({ timeout });
    await openBell(again);
    expect(await notificationsOn(again)).toEqual([
      "user_4 reacted: sixth",
      "user_4 reacted: fifth",
      "You missed 2 notifications",
      "Some are gone from here. The timelines have them.",
      ...seen.filter((line) => !line.startsWith("You missed")),
    ]);
    await last.close();
  });

  test("and whose Valkey has lost everything, has the whole timeline all the same, and goes on", async () => {
    const reviewId = await reviews.review("author_4", "never lost");
    await reviews.react(reviewId, { userId: "user_2", content: "Love it" });
    await reviews.react(reviewId, { userId: "user_3", action: "response", content: "before" });
    const { page } = await openAs("author_4");
    await bellOf(page, 2).waitFor({ timeout });
    await loseEverything();
    await openTimeline(page, reviewId);
    const all = ["author_4 wrote the review", "user_2 Love it", "user_3 before"];
    expect(await timelineOn(page, reviewId)).toEqual(all);
    await reviews.react(reviewId, { userId: "user_2", action: "response", content: "after" });
    await expect.poll(() => timelineOn(page, reviewId), { timeout }).toEqual([...all, "user_2 after"]);
    await bellOf(page, 3).waitFor({ timeout });
    await card(page, reviewId).getByRole("button", { name: "2 replies, timeline of 4 events" }).waitFor({ timeout });
    await page.context().close();
  });
});

test("a stranger's page cannot listen to an author's channel", async () => {
  const { page } = await openLivePage(browser, `${reviews.url}/reviews`);
  const token = await reviews.signIn("eve");
  const reviewId = await reviews.review("author_5", "private");
  const heard = await page.evaluate(async (token) => {
    const frames: unknown[] = [];
    const socket = new WebSocket(`ws://${location.host}/v1/ws`);
    const refused = new Promise<void>((resolve) => {
      socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
        const frame = JSON.parse(data) as { readonly type: string };
        frames.push(frame);
        if (frame.type === "error") resolve();
      });
    });
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    socket.send(JSON.stringify({ type: "token", token }));
    socket.send(JSON.stringify({ type: "subscribe", channel: "notifications:author_5", since: "earliest" }));
    await refused;
    socket.close();
    return frames;
  }, token);
  expect(heard).toContainEqual(expect.objectContaining({ type: "error", code: "FORBIDDEN" }));
  expect(heard).not.toContainEqual(expect.objectContaining({ type: "subscribed" }));
  await reviews.react(reviewId, { userId: "user_2", content: "Thumbs up" });
  await signIn(page, "eve");
  await card(page, reviewId).getByRole("button", { name: "Thumbs up, 1", exact: true }).waitFor({ timeout });
  expect(await bell(page).getAttribute("aria-label")).toBe("Notifications");
  await page.context().close();
});

describe("a page", () => {
  // One for all tests that do not break it: as a person has it open for a while.
  let page: Page;
  let errors: string[];
  let reviewId: number;
  beforeAll(async () => {
    reviewId = await reviews.review("somebody", "to be reacted to");
    ({ page, errors } = await openLivePage(browser, `${reviews.url}/reviews`));
  });
  afterAll(() => page.context().close());
  afterEach(() => expect(errors).toEqual([]));

  test("asks who one is before anything is written", async () => {
    await page.getByLabel("Your review").fill("not signed in");
    await page.getByRole("button", { name: "Post review" }).click();
    await page.getByText("Sign in first.").waitFor();
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("autocomplete"))).toBe("username");
    await page.getByLabel("Your name").fill("a:b");
    await page.keyboard.press("Enter");
    await page.getByText("Use letters, digits, _ . and -").waitFor();
    expect(await page.getByLabel("Your name").getAttribute("aria-invalid")).toBe("true");
    await signIn(page, "reader");
    expect(await page.getByLabel("Your review").inputValue()).toBe("not signed in");
    await page.getByLabel("Your review").fill("");
  });

  test("offers each reaction once to a user, also after it was opened anew", async () => {
    const button = card(page, reviewId).getByRole("button", { name: /^Love it/ });
    await button.click();
    await card(page, reviewId).getByRole("button", { name: "Love it, 1", exact: true }).waitFor({ timeout });
    await button.click();
    await page.reload();
    await button.waitFor({ timeout });
    expect(await button.getAttribute("aria-pressed")).toBe("true");
    expect(await button.getAttribute("aria-label")).toBe("Love it, 1");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Your name").waitFor();
    expect(await button.getAttribute("aria-pressed")).toBe("false");
    expect(await bell(page).count()).toBe(0);
    await signIn(page, "reader");
  });

  test("refuses an empty review and an empty reply beside the field", async () => {
    await page.getByRole("button", { name: "Post review" }).click();
    await page.getByText("Write something first.").waitFor();
    expect(await page.getByLabel("Your review").getAttribute("aria-invalid")).toBe("true");
    await openTimeline(page, reviewId);
    await card(page, reviewId).getByRole("button", { name: "Send" }).click();
    expect(await card(page, reviewId).getByLabel("Your reply").getAttribute("aria-invalid")).toBe("true");
  });

  test("shows the title of a problem, and keeps what was written", async () => {
    const body = JSON.stringify({ title: "PostgreSQL does not answer: nothing was saved", status: 503, code: "POSTGRES_UNAVAILABLE" });
    await page.route("**/api/reviews", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body }));
    await page.getByLabel("Your review").fill("not yet");
    await page.getByRole("button", { name: "Post review" }).click();
    const alert = page.getByRole("alert").filter({ hasText: "nothing was saved" });
    await alert.waitFor();
    expect(await page.getByLabel("Your review").inputValue()).toBe("not yet");
    await page.unrouteAll();
    await alert.getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "Post review" }).click();
    await page.getByTestId("reviews").getByText("not yet", { exact: true }).waitFor({ timeout });
    // The browser's own note of the answer.
    expect(errors.splice(0)).toEqual([expect.stringContaining("503")]);
  });

  test("loads older reviews page by page", async () => {
    for (let number = 0; number < 25; number++) await reviews.review("writer", `many ${number}`);
    await page.reload();
    const rows = page.getByTestId("reviews").locator("> li");
    await expect.poll(() => rows.count(), { timeout }).toBe(20);
    await page.getByRole("button", { name: "Show older reviews" }).click();
    await page.getByTestId("reviews").getByText("many 0", { exact: true }).waitFor({ timeout });
    const numbers = await rows.evaluateAll((items) => items.map((item) => Number(item.dataset["review"])));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => b - a));
  });

  test("is never wider than the screen, from a phone to a desktop", async () => {
    const long = await reviews.review("w".repeat(50), "x".repeat(500));
    await card(page, long).waitFor({ timeout });
    await openTimeline(page, long);
    for (const width of [320, 360, 390, 768, 861, 1_440]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `at ${width}`).toBe(0);
    }
  });

  test("follows the system's colours", async () => {
    for (const colorScheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme });
      await expect.poll(() => page.locator("html").getAttribute("data-mantine-color-scheme")).toBe(colorScheme);
    }
  });

  test("is operated with the keyboard, and everything in it has a name", async () => {
    const names: string[] = [];
    await page.getByRole("link", { name: "Skip to the content" }).focus();
    for (let step = 0; step < 20; step++) {
      names.push(await page.evaluate(nameOfFocus));
      await page.keyboard.press("Tab");
    }
    expect(names).toEqual(
      expect.arrayContaining(["Reviews", "Notifications", "Sign out", "Your review", "Post review", "Thumbs up", "Send"]),
    );
    expect(names).not.toContain("");
    await bell(page).focus();
    await page.keyboard.press("Enter");
    await page.getByText("None yet.").waitFor();
    await closeBell(page);
    expect(await page.evaluate(nameOfFocus)).toBe("Notifications");
  });
});

/** Runs in the page. */
function nameOfFocus(): string {
  const element = document.activeElement;
  const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : undefined;
  return (element?.getAttribute("aria-label") ?? label ?? element?.textContent ?? "").trim();
}
