import type { Locator, Page } from "playwright-core";

/** The contents of the posts that the page shows, newest first. */
export function contentsOn(page: Page): Promise<string[]> {
  return page.getByTestId("posts").locator("article p[dir=auto]").allInnerTexts();
}

/** Every line that the page shows: posts by their content, dividers by their text. */
export async function linesOn(page: Page): Promise<string[]> {
  return page
    .getByTestId("posts")
    .locator("> li")
    .evaluateAll((rows) => rows.map((row) => (row.querySelector("p[dir=auto]") ?? row).textContent.trim()));
}

export function channelButton(page: Page, channel: string): Locator {
  return page.getByTestId("channels").getByRole("button", { name: channel, exact: true });
}

/** Shows this channel alone. */
export async function select(page: Page, channel: string): Promise<void> {
  await channelButton(page, channel).click();
  await page.getByRole("heading", { name: `#${channel}`, exact: true }).waitFor();
}

export async function writePost(page: Page, content: string): Promise<void> {
  await page.getByLabel("Your post").fill(content);
  await page.getByRole("button", { name: "Post", exact: true }).click();
}
