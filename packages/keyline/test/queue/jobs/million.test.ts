import { Discard } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());

const million = 1_000_000;
const thresholdUs = 1_000;

interface Load {
  readonly calls: number;
  /** What a call took of the server's own time, on the average: a busy machine does not count. */
  readonly meanUs: number;
  /** Calls that took longer than a millisecond by the clock on the wall, and the longest of them: on a busy machine others had the processor meanwhile. */
  readonly slow: number;
  readonly longestUs: number;
}

async function loadOf(work: () => Promise<void>): Promise<Load> {
  await stage.valkey.config("RESETSTAT");
  await stage.valkey.slowlog("RESET");
  const before = await cpuUs();
  await work();
  const used = (await cpuUs()) - before;
  const stats = await stage.valkey.info("commandstats");
  const calls = [...stats.matchAll(/cmdstat_(?:evalsha|lrange|zrange|lindex):calls=(\d+)/g)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
  const entries = (await stage.valkey.slowlog("GET", 10_000)) as [number, number, number, string[]][];
  const slow = entries.filter(([, , , words]) => !/^(?:info|slowlog|config)$/i.test(words[0] ?? "")).map(([, , us]) => us);
  return { calls, meanUs: used / calls, slow: slow.length, longestUs: Math.max(0, ...slow) };
}

async function cpuUs(): Promise<number> {
  const text = await stage.valkey.info("cpu");
  const read = (name: string): number => Number(new RegExp(`${name}:([\\d.]+)`).exec(text)?.[1]);
  return (read("used_cpu_user_main_thread") + read("used_cpu_sys_main_thread")) * 1e6;
}

test("on a queue of a million jobs no call keeps Valkey for longer than a millisecond", { timeout: 240_000 }, async () => {
  const queue = stage.keyline().queue<string>("long");
  const base = `${stage.prefix}:{long}:`;
  const data = "x".repeat(40);
  // As Keyline makes them, but for every third one.
  const idOf = (index: number): string =>
    index % 3 === 0 ? `job-${index}` : `${(1_700_000_000_000 + index).toString(36).padStart(9, "0")}000millions`.slice(0, 20);
  const elementOf = (index: number): string => `{"id":"${idOf(index)}","at":${1_700_000_000_000 + index},"data":"${data}"}`;
  for (let first = 0; first < million; first += 5_000) {
    await stage.valkey.lpush(`${base}waiting`, ...Array.from({ length: 5_000 }, (_, index) => elementOf(first + index)));
  }
  for (let first = 0; first < 100_000; first += 5_000) {
    const members = Array.from({ length: 5_000 }, (_, index) => [4e12 + first + index, elementOf(million + first + index)]).flat();
    await stage.valkey.zadd(`${base}scheduled`, ...members);
  }
  await stage.valkey.config("SET", "slowlog-max-len", 20_000);
  await stage.valkey.config("SET", "slowlog-log-slower-than", thresholdUs);

  // Ids that rise with the time of adding are found with a few looks, whoever has made them.
  for (const index of [3, 400_002, 999_996, 400_001]) {
    const { calls } = await loadOf(async () => expect(await queue.job(idOf(index))).toMatchObject({ id: idOf(index), state: "waiting" }));
    expect(calls, idOf(index)).toBeLessThan(100);
  }

  const load = await loadOf(async () => {
    expect(await queue.counts()).toMatchObject({ waiting: million, scheduled: 100_000 });
    for (const index of [999_999, 400_000, 400_001, 2, 999_998, million + 50_000]) {
      expect(await queue.job(idOf(index))).toMatchObject({ id: idOf(index), addedAt: 1_700_000_000_000 + index });
    }
    for (const unknown of [idOf(3_000_001), "job-none"]) {
      expect(await queue.job(unknown)).toBeUndefined();
      await expect(queue.waitFor(unknown)).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
    }
    expect(await queue.update(idOf(700_001), { data: "y" })).toEqual({ updated: true, state: "waiting" });
    let listed = 0;
    for await (const job of queue.jobs({ limit: 120_000 })) if (job.state !== "dead") listed++;
    expect(listed).toBe(120_000);
    for (const index of [3, 500_000, 999_990]) expect(await queue.cancel(idOf(index))).toBe("waiting");
    expect(await queue.cancel(idOf(million + 70_000))).toBe("scheduled");
    expect(await queue.cancel({ after: 1_700_000_000_000 + 700_000, before: 1_700_000_000_000 + 700_300 })).toBe(300);
    expect(await queue.counts()).toMatchObject({ waiting: million - 303, scheduled: 99_999 });
  });
  expect(load.calls).toBeGreaterThan(10_000);
  expect(load.meanUs).toBeLessThan(thresholdUs / 4);
  expect(load.slow).toBeLessThan(load.calls / 20);
  expect(load.longestUs).toBeLessThan(500_000);

  // So is what has ended.
  const worker = queue.work(() => Promise.reject(new Discard("no")), { concurrency: 1 });
  await new Promise((resolve) => worker.on("dead", resolve));
  await worker.stop();
  for await (const { id } of queue.deadLetters({ limit: 1 })) {
    const { calls } = await loadOf(async () => expect(await queue.job(id)).toMatchObject({ id, state: "dead" }));
    expect(calls, id).toBeLessThan(100);
  }
});
