import type { AddOptions, AddResult, Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seeded } from "../../support/processes.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

const hour = 3_600_000;

interface Edit {
  readonly key: string;
  readonly n: number;
}

describe.each([{ transactional: false }, { transactional: true }])(
  "the latest of a window (transactional: $transactional)",
  ({ transactional }) => {
    const open = (name: string, options: object = {}): Queue<Edit> =>
      stage.keyline().queue<Edit>(`${name}-${transactional}`, { transactional, backoff: () => 30, ...options } as { transactional: false });
    const latest = (key: string, window: number): AddOptions => ({ deduplicate: { key, window, keep: "latest" } });

    test("runs once, a window after the last add, with the data of that one", async () => {
      const queue = open("debounce");
      const ran: { readonly id: string; readonly n: number; readonly at: number }[] = [];
      const worker = queue.work(({ data, id }) => void ran.push({ id, n: data.n, at: Date.now() }));
      const told = new Map<string, { readonly n: number; readonly at: number }>();
      for (let n = 1; n <= 30; n++) {
        const at = Date.now();
        const { id, added } = await queue.add({ key: "k", n }, latest("k", 500));
        expect(added).toBe(!told.has(id));
        told.set(id, { n, at });
      }
      // Where the machine is so busy that a window passes in between there are several.
      expect(told.size).toBeLessThan(30);
      await eventually("all have run", () => ran.length === told.size);
      for (const { id, n, at } of ran) {
        expect(n).toBe(told.get(id)?.n);
        expect(at).toBeGreaterThanOrEqual((told.get(id)?.at ?? Infinity) + 499);
      }
      const next = await queue.add({ key: "k", n: 31 }, latest("k", 1));
      expect(next.added).toBe(true);
      await eventually("the next one has run", () => ran.at(-1)?.n === 31);
      await worker.stop();
      expect(ran.length).toBe(told.size + 1);
    });

    test("runs earlier when the last window is shorter", async () => {
      const queue = open("sooner");
      const ran: number[] = [];
      const worker = queue.work(({ data, attempt }) => {
        ran.push(data.n);
        if (data.n === 2 && attempt === 1) throw new Error("once more");
      });
      const first = await queue.add({ key: "k", n: 1 }, { ...latest("k", hour), maxAttempts: 2, priority: "high" });
      await eventually("it is on Valkey", async () => (await queue.counts()).scheduled === 1);
      expect((await queue.add({ key: "k", n: 2 }, latest("k", 10))).id).toBe(first.id);
      await eventually("it has run", () => ran.length === 2);
      expect(ran).toEqual([2, 2]);
      const second = await queue.add({ key: "k", n: 3 }, latest("k", hour));
      expect((await queue.add({ key: "k", n: 4 }, latest("k", 10))).id).toBe(second.id);
      await eventually("the next one has run", () => ran.length === 3);
      expect(ran).toEqual([2, 2, 4]);
      await worker.stop();
    });

    test("keeps what the job was first added with, and takes data and time: also where it stands in the line of its group", async () => {
      const queue = open("line");
      await queue.add({ key: "", n: 0 }, { group: "g", delay: hour });
      const ways: AddOptions[] = [{ group: "g" }, { group: "h" }, { group: "h" }, { priority: "high" }, { id: "own" }, { maxAttempts: 2 }];
      const first = await queue.addMany(ways.map((way, n) => ({ data: { key: "", n }, ...way, ...latest(`key ${n}`, hour) })));
      expect(first.every(({ added }) => added)).toBe(true);
      for (const round of [1, 2]) {
        const again = await queue.addMany(
          ways.map((_, n) => ({ data: { key: "", n: n + 10 * round }, ...latest(`key ${n}`, hour - round) })),
        );
        expect(again).toEqual(first.map(({ id }) => ({ id, added: false })));
      }
      // The same data at the same time is nothing new.
      expect((await queue.add({ key: "", n: 20 }, latest("key 0", hour - 2))).id).toBe(first[0]?.id);
      if (!transactional) expect(await queue.counts()).toMatchObject({ scheduled: 5, blocked: 2, waiting: 0 });
      const last = await queue.addMany(ways.map((_, n) => ({ data: { key: "", n: n + 100 }, ...latest(`key ${n}`, 50) })));
      expect(last.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
      const ran: number[] = [];
      const worker = queue.work(({ data, group }) => {
        expect(group === "h").toBe(data.n === 101 || data.n === 102);
        ran.push(data.n);
      });
      if (transactional) {
        // In a group the element that is there keeps the turn until it was due first, an hour from now: this brings the rows again.
        await stage.valkey.del(await stage.valkey.keys(`${stage.prefix}:{${queue.name}}:*`));
      }
      await eventually("all but those behind the first one have run", () => ran.length === 5);
      expect(new Set(ran)).toEqual(new Set([101, 102, 103, 104, 105]));
      expect(ran.indexOf(101)).toBeLessThan(ran.indexOf(102));
      await worker.stop();
    });

    test("a job that waits, runs or waits for another attempt is not changed: a new one is made", async () => {
      const queue = open("begun");
      const begun = gate();
      const mayEnd = gate();
      const ran: [id: string, n: number, attempt: number][] = [];
      const first = await queue.add({ key: "k", n: 1 }, latest("k", hour));
      expect((await queue.add({ key: "k", n: 2 }, latest("k", 20))).id).toBe(first.id);
      const worker = queue.work(
        async ({ id, data, attempt }) => {
          ran.push([id, data.n, attempt]);
          if (id !== first.id) return;
          begun.open();
          await mayEnd.opened;
          if (attempt === 1) throw new Error("once more");
        },
        { concurrency: 5 },
      );
      await begun.opened;
      const second = await queue.add({ key: "k", n: 3 }, latest("k", hour));
      expect(second.added).toBe(true);
      const retried = new Promise<void>((resolve) => worker.on("retried", () => resolve()));
      const completed = new Promise<void>((resolve) => worker.on("completed", () => resolve()));
      mayEnd.open();
      await retried;
      expect(await queue.add({ key: "k", n: 4 }, latest("k", hour))).toEqual({ id: second.id, added: false });
      await completed;
      expect(ran).toEqual([
        [first.id, 2, 1],
        [first.id, 2, 2],
      ]);
      await worker.stop();
    });

    test("a job that waits for another attempt is not changed by the first add since then either", async () => {
      const queue = open("again", { backoff: () => 1_000 });
      const ran: [n: number, attempt: number][] = [];
      const worker = queue.work(({ data, attempt }) => {
        ran.push([data.n, attempt]);
        if (attempt === 1) throw new Error("once more");
      });
      const retried = new Promise<void>((resolve) => worker.on("retried", () => resolve()));
      const completed = new Promise<void>((resolve) => worker.on("completed", () => resolve()));
      await queue.add({ key: "k", n: 1 }, latest("k", 1));
      await retried;
      expect((await queue.add({ key: "k", n: 2 }, latest("k", hour))).added).toBe(true);
      await completed;
      expect(ran).toEqual([
        [1, 1],
        [1, 2],
      ]);
      await worker.stop();
    });

    test("whatever was acknowledged is what runs, or was replaced by what was acknowledged later", async () => {
      const queue = open("history");
      const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
      console.log(`SEED=${seed}`);
      const completed = new Map<string, number[]>();
      const workers = [1, 2, 3].map(() => {
        const own = stage.keyline().queue<Edit>(queue.name, { transactional, backoff: () => 5 } as { transactional: false });
        const worker = own.work(
          async ({ data, attempt }) => {
            await new Promise((resolve) => setImmediate(resolve));
            if (attempt === 1 && data.n % 7 === 0) throw new Error("once more");
          },
          { concurrency: 10 },
        );
        worker.on("completed", ({ id, data }) => void completed.set(id, [...(completed.get(id) ?? []), data.n]));
        return worker;
      });
      const told = new Map<string, number[]>();
      const adders = Array.from({ length: 24 }, async (_, adder) => {
        const random = seeded(seed + adder);
        const own =
          adder % 2 === 0
            ? queue
            : stage.keyline().queue<Edit>(queue.name, { transactional, backoff: () => 30 } as { transactional: false });
        const key = `key ${adder}`;
        for (let n = 0; n < 60; n++) {
          const way = adder % 3 === 0 ? { group: `g${adder % 4}` } : {};
          const { id }: AddResult = await own.add({ key, n }, { ...way, ...latest(key, 1 + Math.floor(random() ** 3 * 600)) });
          told.set(id, [...(told.get(id) ?? []), n]);
          await new Promise((resolve) => setTimeout(resolve, random() * 20));
        }
      });
      await Promise.all(adders);
      await eventually("all have run", () => completed.size === told.size, 90_000).catch(() => undefined);
      await Promise.all(workers.map((worker) => worker.stop()));
      const wrong = [...told].filter(([id, numbers]) => completed.get(id)?.join() !== String(numbers.at(-1)));
      expect(wrong.map(([id, numbers]) => ({ id, numbers, completed: completed.get(id) }))).toEqual([]);
      // Some of each, or nothing was shown.
      expect(told.size).toBeGreaterThan(24);
      expect([...told.values()].some((numbers) => numbers.length > 1)).toBe(true);
    }, 120_000);
  },
);
