import { openBrowser } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openLivePage } from "../../site/test/support/live-page.ts";
import { freePort } from "../../site/test/support/port.ts";
import { createChannel, newFeedName, openFeed, postAll, type TestFeed } from "./support/feed.ts";
import { startFeedProcess, type FeedProcess } from "./support/feed-process.ts";
import { openHistory } from "./support/history.ts";
import { Network } from "../../site/test/support/network.ts";
import { contentsOn, linesOn, select, writePost } from "./support/page.ts";

const timeout = 25_000;

// Pages are opened and servers started anew within a test, while other files run.
vi.setConfig({ testTimeout: 90_000 });

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

const names = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, index) => `post ${from + index}`);

async function whenLive(page: Page): Promise<void> {
  await page.getByText("Live", { exact: true }).waitFor({ timeout });
}

async function whenOffline(page: Page): Promise<void> {
  await page.getByText("Offline", { exact: true }).waitFor({ timeout });
  await page.getByText("Reconnecting. What is posted meanwhile will be here, in order.").waitFor();
}

describe("a page whose network goes away", () => {
  let feed: TestFeed;
  let network: Network;
  let page: Page;
  let history: ReturnType<typeof openHistory>;
  let channels = 0;
  let channel: string;

  beforeAll(async () => {
    const port = await freePort();
    feed = await openFeed({ moreOrigins: [`http://127.0.0.1:${port}`] });
    network = new Network({ port, target: feed.port });
    await network.mend();
    history = openHistory(feed.name);
    ({ page } = await openLivePage(browser, `${network.url}/feed`));
  });
  afterAll(async () => {
    await network.cut();
    await history.close();
    await feed.close();
  });
  afterEach(() => expect(feed.errors).toEqual([]));

  /** A channel of its own for each test, shown with what is in it. */
  async function show(contents: readonly string[]): Promise<void> {
    channel = `network_${++channels}`;
    await createChannel(feed.url, channel);
    await postAll(feed.url, channel, contents);
    await select(page, channel);
    await expect.poll(() => contentsOn(page), { timeout }).toEqual([...contents].toReversed());
  }

  test("gets what it missed when it is back, in order and once, above a line that says how much it was", async () => {
    await show(names(1, 3));
    await network.cut();
    await whenOffline(page);
    await postAll(feed.url, channel, names(4, 8));
    await history.whenNewest(channel, "post 8");
    await network.mend();
    await whenLive(page);
    await expect
      .poll(() => linesOn(page), { timeout })
      .toEqual([...names(4, 8).toReversed(), "You missed 5 posts", ...names(1, 3).toReversed()]);
    await postAll(feed.url, channel, names(9, 9));
    await expect
      .poll(() => linesOn(page), { timeout })
      .toEqual([...names(4, 9).toReversed(), "You missed 5 posts", ...names(1, 3).toReversed()]);
  });

  test("has no such line when there was nothing to miss", async () => {
    await show(names(1, 2));
    await network.cut();
    await whenOffline(page);
    await network.mend();
    await whenLive(page);
    await postAll(feed.url, channel, names(3, 3));
    await expect.poll(() => linesOn(page), { timeout }).toEqual(names(1, 3).toReversed());
  });

  test("has a line for each absence", async () => {
    await show(names(1, 1));
    for (const [from, to] of [
      [2, 3],
      [4, 4],
    ] as const) {
      await network.cut();
      await whenOffline(page);
      await postAll(feed.url, channel, names(from, to));
      await history.whenNewest(channel, `post ${to}`);
      await network.mend();
      await whenLive(page);
      await expect.poll(() => contentsOn(page), { timeout }).toEqual(names(1, to).toReversed());
    }
    expect(await linesOn(page)).toEqual(["post 4", "You missed 1 post", "post 3", "post 2", "You missed 2 posts", "post 1"]);
  });

  test("gets what came between two absences that follow one another closely", async () => {
    await show(names(1, 1));
    for (let round = 0; round < 4; round++) {
      await network.cut();
      await postAll(feed.url, channel, names(2 + 3 * round, 4 + 3 * round));
      await network.mend();
    }
    await whenLive(page);
    await expect.poll(() => contentsOn(page), { timeout }).toEqual(names(1, 13).toReversed());
  });

  test("cannot post meanwhile, says so, and keeps what was written", async () => {
    await show(names(1, 1));
    await network.cut();
    await whenOffline(page);
    await writePost(page, "written offline");
    await page.getByRole("alert").filter({ hasText: "The server does not answer" }).waitFor({ timeout });
    await network.mend();
    await whenLive(page);
    expect(await page.getByLabel("Your post").inputValue()).toBe("written offline");
    await page.getByRole("button", { name: "Post", exact: true }).click();
    await expect.poll(() => contentsOn(page), { timeout }).toEqual(["written offline", "post 1"]);
  });
});

describe("a page whose server is killed", () => {
  const kept = 20;
  let name: string;
  let port: number;
  let server: FeedProcess;
  // Whom the others use meanwhile.
  let other: FeedProcess;
  let page: Page;
  let history: ReturnType<typeof openHistory>;
  let channels = 0;
  let channel: string;

  beforeAll(async () => {
    name = newFeedName();
    history = openHistory(name);
    port = await freePort();
    server = await startFeedProcess({ name, port, historySize: kept });
    other = await startFeedProcess({ name, port: await freePort(), historySize: kept });
    ({ page } = await openLivePage(browser, `${server.url}/feed`));
  });
  afterAll(async () => {
    await history.close();
    await server.kill();
    await other.kill();
  });

  /** A channel of its own for each test, shown with three posts. */
  async function show(): Promise<void> {
    channel = `server_${++channels}`;
    await createChannel(other.url, channel);
    await postAll(other.url, channel, names(1, 3));
    await select(page, channel);
    await expect.poll(() => contentsOn(page), { timeout }).toEqual(names(1, 3).toReversed());
  }

  async function dieAndComeBack(meanwhile: () => Promise<void>): Promise<void> {
    await server.kill();
    await whenOffline(page);
    await meanwhile();
    server = await startFeedProcess({ name, port, historySize: kept });
    await whenLive(page);
  }

  test("goes on when it is back: nothing is lost and nothing comes twice", async () => {
    await show();
    let posted = 3;
    for (let round = 0; round < 2; round++) {
      await dieAndComeBack(async () => {
        await postAll(other.url, channel, names(posted + 1, posted + 10));
        await history.whenNewest(channel, `post ${posted + 10}`);
      });
      posted += 10;
      await expect.poll(() => contentsOn(page), { timeout }).toEqual(names(1, posted).toReversed());
    }
    expect((await linesOn(page)).filter((line) => line.startsWith("You missed"))).toEqual(["You missed 10 posts", "You missed 10 posts"]);
    await writePost(page, "still here");
    await expect.poll(() => contentsOn(page), { timeout }).toEqual(["still here", ...names(1, posted).toReversed()]);
  });

  test("is told that some posts are gone when the channel's history does not reach back, and gets them from PostgreSQL", async () => {
    await show();
    const last = 60;
    await dieAndComeBack(async () => {
      await postAll(other.url, channel, names(4, last));
      await history.whenNewest(channel, `post ${last}`);
    });
    await page.getByText(`Some posts are gone from #${channel}`).waitFor({ timeout });
    await expect.poll(async () => (await linesOn(page))[0], { timeout }).toBe(`post ${last}`);
    const lines = await linesOn(page);
    const missed = Number(/^You missed (\d+) posts$/.exec(lines.at(-5) ?? "")?.[1]);
    expect(missed).toBeGreaterThanOrEqual(kept);
    expect(lines).toEqual([
      ...names(last - missed + 1, last).toReversed(),
      `You missed ${missed} posts`,
      expect.stringMatching(/^Some posts are gone/),
      ...names(1, 3).toReversed(),
    ]);
    await bringBack(last - 3 - missed);
    expect(await contentsOn(page)).toEqual(names(1, last).toReversed());
  });

  test("is told that some posts are gone when Valkey has lost the history, and goes on from what there is", async () => {
    await show();
    await dieAndComeBack(async () => {
      await postAll(other.url, channel, names(4, 6));
      await history.whenNewest(channel, "post 6");
      await history.forget(channel);
      await postAll(other.url, channel, names(7, 8));
    });
    await page.getByText(`Some posts are gone from #${channel}`).waitFor({ timeout });
    await expect.poll(() => contentsOn(page), { timeout }).toEqual([...names(1, 3), ...names(7, 8)].toReversed());
    await bringBack(3);
    expect(await contentsOn(page)).toEqual(names(1, 8).toReversed());
    await postAll(server.url, channel, names(9, 9));
    await expect.poll(() => contentsOn(page), { timeout }).toEqual(names(1, 9).toReversed());
  });

  async function bringBack(count: number): Promise<void> {
    await page.getByRole("button", { name: `Bring back the posts of ${channel} from PostgreSQL` }).click();
    await page.getByText(`${count} posts came back from PostgreSQL`).waitFor({ timeout });
  }
});
