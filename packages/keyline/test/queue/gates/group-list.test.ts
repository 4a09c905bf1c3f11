import type { Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
  expect(seen.length - names.length).toBeLessThan(20);
  expect(gone.size).toBe(1);
});

describe("while the server makes room for more groups, and for fewer", () => {
  const names = Array.from({ length: 700 }, (_, index) => `g${index}`);
  let queue: Queue<number>;
  beforeAll(async () => {
    queue = stage.keyline().queue<number>("resized");
    await queue.addMany([...names, ...names].map((group) => ({ data: 1, group })));
  });

  /** What a list gave in pages of that size, between which the server was made to. */
  async function inPages<Row extends { readonly cursor: string }>(
    size: number,
    list: (from: { readonly cursor?: string }) => AsyncIterable<Row>,
  ): Promise<Row[]> {
    // Groups with one job each.
    const grouped = `${stage.prefix}:{resized}:grouped`;
    const guests = Array.from({ length: 5_000 }, (_, index) => `guest-${index}`);
    const rows: Row[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      let count = 0;
      for await (const row of list(cursor === undefined ? {} : { cursor })) {
        rows.push(row);
        if (++count === size) break;
      }
      cursor = count === size ? rows.at(-1)?.cursor : undefined;
      if (pages % 2 === 0) await stage.valkey.hset(grouped, Object.fromEntries(guests.map((name) => [name, "id 1764000000000"])));
      else await stage.valkey.hdel(grouped, ...guests);
      pages++;
    } while (cursor !== undefined && pages < 1_000);
    expect(cursor).toBeUndefined();
    return rows;
  }

  test.each([30, 90, 150])("groups() misses none, in pages of %i", async (size) => {
    const seen = new Set((await inPages(size, (from) => queue.groups(from))).map(({ name }) => name));
    expect(names.filter((name) => !seen.has(name))).toEqual([]);
  });

  test.each([30, 90, 150])("jobs() misses none, in pages of %i", async (size) => {
    const seen = new Set((await inPages(size, (from) => queue.jobs({ ...from, state: "blocked" }))).map(({ group }) => group));
    expect(names.filter((name) => !seen.has(name))).toEqual([]);
  });
});

test("refuses what is no cursor", () => {
  const queue = stage.keyline().queue("refusing");
  for (const cursor of ["", "x", Buffer.from("a.b").toString("base64url")]) {
    expect(() => queue.groups({ cursor })).toThrow(expect.objectContaining({ code: "INVALID_CURSOR" }));
  }
  expect(() => queue.groups({ state: "gone" as "paused" })).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});
