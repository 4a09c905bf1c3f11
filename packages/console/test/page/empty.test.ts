import { openBrowser, openPage } from "@keyline/look/testing";
import { expect, test, vi } from "vitest";
import { openConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000 });

test("where nothing is used yet the page says so, beside what is wrong with the stores", async () => {
  const [browser, operations] = await Promise.all([openBrowser(), openConsole()]);
  const { page, errors } = await openPage(browser, operations.url);
  await page.getByText("Valkey writes nothing to disk").waitFor();
  await page.getByText("Nothing is used yet").waitFor();
  for (const [path, text] of [
    ["tasks", "No tasks"],
    ["audit", "Nobody has done anything yet"],
  ]) {
    await page.goto(`${operations.url}/${path}`);
    await page.getByText(text ?? "").waitFor();
  }
  expect(errors).toEqual([]);
  await browser.close();
  await operations.close();
});
