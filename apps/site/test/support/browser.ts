import { findChromium } from "@keyline/embedded";
import { chromium, type Browser, type Page } from "playwright-core";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: await findChromium(), args: flags });
}

export interface OpenPage {
  readonly page: Page;
  /** Errors on the console, and exceptions that nobody caught. */
  readonly errors: string[];
}

/** Nothing moves on it until a test says that it may: on a machine without a GPU, each frame that moves takes time from all tests. */
export async function openPage(browser: Browser, url: string): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1_440, height: 900 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(url);
  await page.getByText("Live", { exact: true }).waitFor();
  return { page, errors };
}
