import { openBrowser, openPage } from "@keyline/look/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openConsole, poll, secret, tokenOf, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let browser: Browser;
let operations: OpenConsole;
beforeAll(async () => {
  [browser, operations] = await Promise.all([openBrowser(), openConsole({ access: { secret } })]);
  await operations.keyline.queue<object>("guarded").add({});
});
afterAll(async () => {
  await browser.close();
  await operations.close();
});

const tokenKept = (page: Page): Promise<string | null> => page.evaluate(() => sessionStorage.getItem("keyline-console-token"));

test("a token is forgotten with all that was shown with it", async () => {
  const { page } = await openPage(browser, `${operations.url}/queues/guarded#token=${await tokenOf("viewer")}`);
  await page.getByRole("link", { name: /^waiting/ }).waitFor();
  expect(await tokenKept(page)).not.toBeNull();
  await page.getByRole("button", { name: "Times, keys and access" }).click();
  await page.getByText("viewer@example.com, viewer").waitFor();
  await page.getByRole("menuitem", { name: "Forget my token" }).click();
  const dialog = page.getByRole("dialog", { name: "Who are you?" });
  await dialog.waitFor();
  expect(await tokenKept(page)).toBeNull();
  expect(await page.getByRole("link", { name: /^waiting/ }).count()).toBe(0);
  await page.reload();
  await dialog.waitFor();
  // Another one may come at the same place.
  await dialog.getByLabel("Token", { exact: true }).fill(await tokenOf("operator"));
  await dialog.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("link", { name: /^waiting/ }).waitFor();
  expect(page.url()).toBe(`${operations.url}/queues/guarded`);
  await page.context().close();
});

test("the colours follow the system until others are chosen, which stay", async () => {
  const { page, errors } = await openPage(browser, `${operations.url}/#token=${await tokenOf("viewer")}`, { colorScheme: "light" });
  const scheme = (): Promise<string | null> => page.locator("html").getAttribute("data-mantine-color-scheme");
  const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  const light = await background();
  await page.emulateMedia({ colorScheme: "dark" });
  await poll(scheme).toBe("dark");
  await poll(background).not.toBe(light);
  await page.emulateMedia({ colorScheme: "light" });
  await poll(scheme).toBe("light");
  await page.getByRole("button", { name: "Use the dark colours" }).click();
  await poll(scheme).toBe("dark");
  await poll(background).not.toBe(light);
  await page.reload();
  await page.getByRole("button", { name: "Use the light colours" }).waitFor();
  expect(await scheme()).toBe("dark");
  await page.getByRole("button", { name: "Use the light colours" }).click();
  await poll(background).toBe(light);
  expect(errors).toEqual([]);
  await page.context().close();
});

test("a tail that was halted goes on with what comes", async () => {
  const channel = operations.keyline.channel<{ headline: string }>("wire", { history: { size: 10 } });
  await channel.list();
  const token = await tokenOf("viewer");
  await operations.knows("/channels/wire", token);
  const { page, errors } = await openPage(browser, `${operations.url}/channels/wire#token=${token}`);
  const tail = page.getByRole("log", { name: "Live" });
  const history = page.getByRole("table", { name: "History" });
  await page.getByText("Live", { exact: true }).first().waitFor();
  // It is told of what is published from its opening on, which nobody announces.
  for (let n = 0; (await tail.getByText("first").count()) === 0; n++) {
    await channel.publish({ headline: `first ${n}` });
    await history.getByText(`first ${n}`).waitFor();
  }
  await page.getByRole("button", { name: "Halt" }).click();
  await page.getByRole("button", { name: "Go on" }).waitFor();
  await channel.publish({ headline: "meanwhile" });
  await history.getByText("meanwhile").waitFor();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("button", { name: "Halt" }).waitFor();
  await channel.publish({ headline: "and on" });
  await tail.getByText("and on").waitFor();
  expect(errors).toEqual([]);
  await page.context().close();
});
