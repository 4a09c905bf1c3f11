import type { Job } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const rules = { keepResult: 60_000 };

test("who adds job after job and waits for each looks for none but the first", async () => {
  const worker = stage
    .keyline()
    .queue<number>("own", rules)
    .work((job: Job<number>) => job.data);
  // That is what the script which finds outcomes does for each job.
  const looks = async (): Promise<number> =>
    Number(/cmdstat_sismember:calls=(\d+)/.exec(await stage.valkey.info("commandstats"))?.[1] ?? 0);
  const queue = stage.keyline().queue<number>("own", rules);
  const before = await looks();
  const ids: string[] = [];
  const results: unknown[] = [];
  for (let n = 0; n < 20; n++) {
    const { id } = await queue.add(n);
    ids.push(id);
    results.push(await queue.waitFor(id));
  }
  expect(results).toEqual(Array.from({ length: 20 }, (_, n) => n));
  const after = await looks();
  expect(after - before).toBeLessThanOrEqual(2);
  // Another process looks for each.
  const other = stage.keyline().queue<number>("own", rules);
  for (const id of ids) await other.waitFor(id);
  expect((await looks()) - after).toBeGreaterThanOrEqual(20);
  await worker.stop();
});

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("on a %s queue, while its ends are followed", (kind, transactional) => {
  const open = (name: string) => openEither<string>(stage.keyline(), `${kind}-${name}`, { transactional, ...rules });

  test("a job that has ended before anybody waits for it is found", async () => {
    const queue = open("before");
    const hold = gate();
    const ended = new Set<string>();
    const worker = queue.work(
      async ({ data }) => {
        if (data === "last") await hold.opened;
        return data;
      },
      { concurrency: 10 },
    );
    worker.on("completed", ({ id }) => void ended.add(id));
    const last = queue.waitFor((await queue.add("last")).id);
    await queue.waitFor((await queue.add("first")).id);
    const added = await queue.addMany(["a", "b", "c"].map((data) => ({ data })));
    const own = await queue.add("own", { id: "own-1" });
    await eventually("they have ended", () => [...added, own].every(({ id }) => ended.has(id)));
    expect(await Promise.all([...added, own].map(({ id }) => queue.waitFor(id, { timeout: 20_000 })))).toEqual(["a", "b", "c", "own"]);
    hold.open();
    expect(await last).toBe("last");
    await worker.stop();
  });

  test("a job that Valkey loses before anybody waits for it is looked for", async () => {
    const queue = open("lost");
    const first = queue.waitFor((await queue.add("first")).id).catch((error: { code: string }) => error.code);
    await eventually("it is followed", async () => (await stage.valkey.exists(`${stage.prefix}:{${queue.name}}:ends`)) === 1);
    const { id } = await queue.add("x");
    await stage.valkey.flushall();
    const second = queue.waitFor(id, { timeout: 30_000 }).catch((error: { code: string }) => error.code);
    if (!transactional) {
      expect([await first, await second]).toEqual(["JOB_UNKNOWN", "JOB_UNKNOWN"]);
      return;
    }
    const worker = queue.work((job: Job<string>) => job.data);
    expect([await first, await second]).toEqual(["first", "x"]);
    await worker.stop();
  }, 40_000);
});
