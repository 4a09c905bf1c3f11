import { openPage } from "@keyline/look/testing";
import type { Browser } from "playwright-core";

/** A page of an application, when it is connected. */
export async function openLivePage(browser: Browser, url: string): ReturnType<typeof openPage> {
  const opened = await openPage(browser, url, { viewport: { width: 1_440, height: 900 } });
  await opened.page.getByText("Live", { exact: true }).waitFor();
  return opened;
}
