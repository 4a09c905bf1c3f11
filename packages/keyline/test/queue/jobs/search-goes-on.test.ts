import type { JobsOptions, ListedJobs, Queue } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openQuietStage, type Stage } from "../../support/stage.ts";

const hour = 3_600_000;
const hay = 101_000;
const page = 5_000;

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

type Searched = Pick<Queue<number>, "jobs">;

async function look(queue: Searched, options: JobsOptions): Promise<{ readonly ids: string[]; readonly list: ListedJobs<number> }> {
  const ids: string[] = [];
  const list = queue.jobs(options);
  for await (const { id } of list) {
    expect(list.cursor).toBeUndefined();
    ids.push(id);
  }
  return { ids, list };
}

/** Nothing is found among the first ones, and the needle behind them. */
async function expectToGoOn(queue: Searched, options: JobsOptions): Promise<void> {
  const first = await look(queue, options);
  expect(first.ids).toEqual([]);
  expect(first.list.cursor).toEqual(expect.any(String));
  const second = await look(queue, { ...options, cursor: first.list.cursor ?? "" });
  expect(second.ids).toEqual(["needle"]);
  expect(second.list.cursor).toBeUndefined();
}

test("a search of rows that has looked at so many says where it goes on", async () => {
  const queue = stage.keyline().queue<number>("rows", { transactional: true });
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, last_error)
      SELECT 'rows', CASE WHEN n = $1 THEN 'needle' ELSE 'hay-' || lpad(n::text, 6, '0') END, to_json(CASE WHEN n = $1 THEN 'needle' ELSE 'hay' END),
        'dead', CASE WHEN n = $1 THEN 'needle' ELSE 'hay' END FROM generate_series(1, $1::integer) AS n`,
    [hay],
  );
  await expectToGoOn(queue, { state: "dead", error: "needle" });
  await expectToGoOn(queue, { state: "dead", contains: "needle" });
}, 120_000);

test("a search of a plain queue that has looked at so many says where it goes on", async () => {
  const queue = stage.keyline().queue<number>("plain", { backoff: () => hour });
  await queue.add(1, { id: "needle" });
  const worker = queue.work(() => Promise.reject(new Error("needle")));
  await eventually("it has failed", async () => (await queue.counts()).scheduled === 1);
  await worker.stop();
  const base = `${stage.prefix}:{plain}:`;
  for (let first = 0; first < hay; first += page) {
    const members = Array.from({ length: page }, (_, index) => [4e12 + first + index, `{"id":"hay-${first + index}","at":1,"data":1}`]);
    await stage.valkey.zadd(`${base}scheduled`, ...members.flat());
  }
  await expectToGoOn(queue, { state: "scheduled", error: "needle" });
}, 120_000);

test("a search of dead letters on Valkey that has looked at so many says where it goes on", async () => {
  const queue = stage.keyline().queue<number>("letters", { maxAttempts: 1 });
  await queue.add(1, { id: "needle" });
  const worker = queue.work(() => Promise.reject(new Error("needle")));
  await eventually("it is dead", async () => (await queue.counts()).dead === 1);
  await worker.stop();
  const dead = `${stage.prefix}:{letters}:dead`;
  const [key = "", place = "0"] = await stage.valkey.zrange(dead, 0, 0, "WITHSCORES");
  const why = ((await stage.valkey.hget(`${dead}:why`, key)) ?? "").replaceAll("needle", "hay");
  for (let first = 1; first < hay; first += page) {
    const places = Array.from({ length: page }, (_, index) => Number(place) + first + index);
    await stage.valkey.hset(`${dead}:why`, ...places.flatMap((each) => [`hay\x1f${each}`, why]));
    await stage.valkey.zadd(dead, ...places.flatMap((each) => [each, `hay\x1f${each}`]));
  }
  await expectToGoOn(queue, { state: "dead", error: "needle" });
}, 120_000);

test("a list that ends by its limit goes on behind its last job, and one that has shown all does not", async () => {
  const queue = stage.keyline().queue<number>("few");
  await queue.addMany([1, 2, 3].map((data) => ({ data, id: String(data), delay: data * hour })));
  const first = await look(queue, { state: "scheduled", limit: 2 });
  const second = await look(queue, { state: "scheduled", cursor: first.list.cursor ?? "" });
  expect([first.ids, second.ids]).toEqual([["3", "2"], ["1"]]);
  expect(second.list.cursor).toBeUndefined();
});
