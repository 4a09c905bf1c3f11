import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test("goes on behind any group, page by page, and misses none that is there all the time", async () => {
  const queue = stage.keyline().queue<number>("paged");
  const names = Array.from({ length: 1_200 }, (_, index) => `g${index}`);
  const ids = new Map<string, string>();
  const added = await queue.addMany(names.map((group) => ({ data: 1, group })));
  for (const [index, { id }] of added.entries()) ids.set(names[index] ?? "", id);
  const seen: string[] = [];
  const gone = new Set<string>();
  let cursor: string | undefined;
  let pages = 0;
  do {
    const rows: { name: string; cursor: string }[] = [];
    for await (const group of queue.groups(cursor === undefined ? {} : { cursor })) {
      rows.push(group);
      if (rows.length === 100) break;
    }
    seen.push(...rows.map(({ name }) => name));
    cursor = rows.length === 100 ? rows.at(-1)?.cursor : undefined;
    // The one that the next page would begin behind.
    const last = rows.at(-1)?.name ?? "";
    if (pages === 3) {
      await queue.cancel(ids.get(last) ?? "");
      gone.add(last);
    }
    pages++;
  } while (cursor !== undefined && pages < 30);
  expect(pages).toBeLessThan(30);
  expect(new Set(seen)).toEqual(new Set(names));
  // Those of one of the server's pages came again, as the group to begin behind was gone.
  expect(seen.length - names.length).toBeLessThan(600);
  expect(gone.size).toBe(1);
});

test("refuses what is no cursor", () => {
  const queue = stage.keyline().queue("refusing");
  for (const cursor of ["", "x", Buffer.from("a.b").toString("base64url")]) {
    expect(() => queue.groups({ cursor })).toThrow(expect.objectContaining({ code: "INVALID_CURSOR" }));
  }
  expect(() => queue.groups({ state: "gone" as "paused" })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});
