import type { Browser, BrowserContextOptions, Page } from "playwright-core";

interface OpenPage {
  readonly page: Page;
  /** Errors on the console, and exceptions that nobody caught. */
  readonly errors: string[];
}

/** A page in a context of its own. Nothing moves on it until a test says that it may: on a machine without a GPU, each frame that moves takes time from all tests. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(url);
  return { page, errors };
}
