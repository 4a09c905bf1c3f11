import { openBrowser, openPage } from "@keyline/look/testing";
import type { GroupStatus, Stream } from "keyline";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { eventually, gate } from "../../../keyline/test/support/stage.ts";
import { openConsole, poll, type OpenConsole } from "./support/open-console.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

interface Reading {
  readonly room: string;
  readonly n: number;
}

let browser: Browser;
let operations: OpenConsole;
let page: Page;
let errors: string[];
let readings: Stream<Reading, Reading, boolean>;
/** The ids of ten entries, of which the last five are of a later second. */
let ids: string[];
beforeAll(async () => {
  browser = await openBrowser();
  operations = await openConsole();
  ({ page, errors } = await openPage(browser, operations.url));
  readings = operations.keyline.stream<Reading>("placed", { key: ({ room }) => room });
  const append = async (from: number): Promise<string[]> => {
    const events = Array.from({ length: 5 }, (_, index) => ({ room: (from + index) % 2 === 0 ? "hall" : "attic", n: from + index }));
    return (await readings.appendMany(events)).map(({ id }) => id);
  };
  const earlier = await append(0);
  await eventually("another second has begun", async () => {
    const [seconds = 0] = (await operations.stage.valkey.time()).map(Number);
    return seconds > secondOf(earlier[4]);
  });
  ids = [...earlier, ...(await append(5))];
});
afterAll(async () => {
  await browser.close();
  await operations.close();
});
afterEach(() => expect([errors.splice(0), operations.errors]).toEqual([[], []]));

function secondOf(id = ""): number {
  return Math.floor(Number.parseInt(id, 10) / 1_000);
}

async function go(path: string): Promise<void> {
  await operations.knows(path);
  await page.goto(operations.url + path);
}
const dialog = (): ReturnType<Page["getByRole"]> => page.getByRole("dialog");
const button = (name: string): ReturnType<Page["getByRole"]> => page.getByRole("button", { name, exact: true });
const told = (text: string | RegExp): Promise<void> => page.getByRole("status").getByText(text).last().waitFor();
const statusOf = async (stream: Pick<Stream<unknown, unknown, boolean>, "groups">, name: string): Promise<GroupStatus | undefined> =>
  (await stream.groups()).find((group) => group.name === name);
const isThrough = async (stream: Pick<Stream<unknown, unknown, boolean>, "groups">, name: string): Promise<boolean> => {
  const status = await statusOf(stream, name);
  return status?.lag === 0 && status.pending === 0;
};
const numbers = async (): Promise<number[]> => {
  const rows = await page.getByRole("table", { name: "Entries" }).locator("tbody tr").allInnerTexts();
  return rows.map((row) => Number(/"n":(\d+)/.exec(row)?.[1]));
};
/** The second in which the later five were appended, as a field for times takes it, by the browser's clock. */
const laterSecond = (): Promise<string> =>
  page.evaluate(
    (at) => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace(/:00$/, ""),
    secondOf(ids[5]) * 1_000,
  );

test("entries are read from the middle by time, and of a key, and of a key from that time on", async () => {
  await go("/streams/placed");
  await poll(numbers).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  const time = page.getByLabel("From a time on, by your clock");
  await time.fill(await laterSecond());
  await page.keyboard.press("Enter");
  await poll(numbers).toEqual([5, 6, 7, 8, 9]);
  expect(new URL(page.url()).searchParams.get("at")).toBe(String(secondOf(ids[5]) * 1_000));
  await page.getByRole("textbox", { name: "Of a key" }).fill("attic");
  await page.keyboard.press("Enter");
  await poll(numbers).toEqual([5, 7, 9]);
  // The address says where one reads.
  await page.reload();
  await poll(numbers).toEqual([5, 7, 9]);
  expect(await page.getByLabel("From a time on, by your clock").inputValue()).toBe(await laterSecond());
  await button("Clear the filter").click();
  await poll(numbers).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  await page.getByRole("textbox", { name: "Of a key" }).fill("hall");
  await page.keyboard.press("Enter");
  await poll(numbers).toEqual([8, 6, 4, 2, 0]);
  expect(await page.getByRole("table", { name: "Entries" }).locator('td[data-label="Key"]').allInnerTexts()).toEqual(
    Array.from({ length: 5 }, () => "hall"),
  );
  await page.getByRole("textbox", { name: "Of a key" }).fill("cellar");
  await page.keyboard.press("Enter");
  await page.getByText("No entries here").waitFor();
});

test("how far a group is behind, and what it was handed and has not ended, stands on the page of the stream and on its own", async () => {
  const stream = operations.keyline.stream<number>("behind");
  const { opened, open } = gate();
  const ended = stream.consume("away", () => undefined);
  await stream.append(0);
  await eventually("it has read", () => isThrough(stream, "away"));
  await ended.stop();
  const busy = stream.consume("busy", () => opened, { concurrency: 2 });
  await stream.appendMany([1, 2, 3]);
  await eventually("some are at work", async () => ((await statusOf(stream, "busy"))?.pending ?? 0) >= 2);
  await go("/streams/behind");
  const cell = (group: string, label: string): Promise<string> =>
    page.getByRole("table", { name: "Groups" }).locator(`[data-row="${group}"] td[data-label="${label}"]`).innerText();
  await poll(() => cell("away", "Behind")).toBe("3");
  expect(await cell("away", "Pending")).toBe("0");
  const status = await statusOf(stream, "busy");
  await poll(() => cell("busy", "Pending")).toBe(String(status?.pending));
  expect(await cell("busy", "Behind")).toBe(String(status?.lag));
  expect(await cell("busy", "Oldest pending")).not.toBe("");
  expect(await cell("busy", "Consumers")).toBe("1");
  // As it goes on.
  open();
  await poll(() => cell("busy", "Pending")).toBe("0");
  await poll(() => cell("busy", "Behind")).toBe("0");
  await busy.stop();
  await go("/streams/behind/groups/away");
  const tile = (label: string): Promise<string | null> =>
    page.getByRole("group", { name: "Figures" }).locator("> *").filter({ hasText: label }).first().textContent();
  await poll(() => tile("Behind")).toBe("Behind3not handed out yet");
  expect(await tile("Pending")).toBe("Pending0");
  await stream.append(4);
  await poll(() => tile("Behind")).toBe("Behind4not handed out yet");
});

test("a group is sent back to a time and to an entry, which it does again", async () => {
  const handled: number[] = [];
  const consumer = readings.consume("travellers", ({ data }) => void handled.push(data.n));
  await eventually("all was read", () => isThrough(readings, "travellers"));
  await consumer.stop();
  await go("/streams/placed/groups/travellers");
  const reset = async (): Promise<void> => {
    await dialog().getByRole("textbox", { name: "Type travellers to confirm" }).fill("travellers");
    await dialog().getByRole("button", { name: "Reset" }).click();
    await told("travellers goes on there.");
    await dialog().waitFor({ state: "detached" });
  };
  const goneOnWith = async (): Promise<number[]> => {
    handled.splice(0);
    const again = readings.consume("travellers", ({ data }) => void handled.push(data.n));
    await eventually("all was read again", () => isThrough(readings, "travellers"));
    await again.stop();
    return handled.toSorted((one, other) => one - other);
  };
  await button("Reset").click();
  await dialog().getByRole("radio", { name: "At a time" }).check();
  const ready = dialog().getByRole("button", { name: "Reset" });
  await dialog().getByRole("textbox", { name: "Type travellers to confirm" }).fill("travellers");
  expect(await ready.isDisabled()).toBe(true);
  await dialog()
    .getByLabel("From a time on, by your clock")
    .fill(await laterSecond());
  await reset();
  expect((await statusOf(readings, "travellers"))?.lag).toBe(5);
  expect(await goneOnWith()).toEqual([5, 6, 7, 8, 9]);
  await button("Reset").click();
  await dialog().getByRole("radio", { name: "With an entry" }).check();
  const entry = dialog().getByRole("textbox", { name: "Entry", exact: true });
  await entry.fill("no id");
  await dialog().getByRole("textbox", { name: "Type travellers to confirm" }).fill("travellers");
  expect(await ready.isDisabled()).toBe(true);
  await entry.fill(ids[6] ?? "");
  await reset();
  expect((await statusOf(readings, "travellers"))?.lag).toBe(4);
  expect(await goneOnWith()).toEqual([6, 7, 8, 9]);
});
