import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JobsOptions } from "../../../src/index.ts";
import { collected } from "../../support/collected.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const reasons = ["timeout after 100 ms", "no such user", "timeout after 7 ms", 'it said "100 % _no_"'];

describe.each([{ transactional: false }, { transactional: true }])("jobs by their errors (%j)", ({ transactional }) => {
  const open = (name: string) => stage.keyline().queue<string>(`${name}-${transactional}`, { transactional } as { transactional: false });

  test("are found where they failed and wait for their next attempt, and where they are dead", async () => {
    const keyline = stage.keyline();
    const options = { transactional, backoff: { type: "fixed", delay: 3_600_000 } } as unknown as { transactional: false };
    const queue = keyline.queue<string>(`failed-${transactional}`, options);
    // What only has the text in its data did not fail with it.
    await queue.add("timeout", { id: "later", delay: 3_600_000 });
    await queue.addMany([
      ...reasons.map((data, n) => ({ data, id: `retry-${n}`, ...(n === 2 && { group: "g" }) })),
      ...reasons.map((data, n) => ({ data, id: `dead-${n}`, maxAttempts: 1 })),
    ]);
    const worker = queue.work((job) => Promise.reject(new RangeError(job.data)));
    await eventually("all have failed", async () => {
      const { scheduled, dead } = await queue.counts();
      return scheduled === 1 + reasons.length && dead === reasons.length;
    });
    await worker.stop();
    const ids = async (options: JobsOptions): Promise<string[]> => (await collected(queue.jobs(options))).map(({ id }) => id).toSorted();
    expect(await ids({ state: "scheduled", error: "timeout" })).toEqual(["retry-0", "retry-2"]);
    expect(await ids({ state: "dead", error: "timeout" })).toEqual(["dead-0", "dead-2"]);
    expect(await ids({ state: "scheduled", error: '"100 % _no_"' })).toEqual(["retry-3"]);
    expect(await ids({ state: "scheduled", error: "RangeError: no such" })).toEqual(["retry-1"]);
    expect(await ids({ state: "scheduled", error: "timeout", group: "g" })).toEqual(["retry-2"]);
    expect(await ids({ state: "scheduled", error: "%" })).toEqual(["retry-3"]);
    for (const error of ["Timeout", "no such user "]) {
      expect(await ids({ state: "dead", error })).toEqual([]);
      expect(await collected(queue.deadLetters({ error }))).toEqual([]);
    }
    const letters = await collected(queue.deadLetters({ error: "timeout" }));
    expect(letters.map(({ id }) => id).toSorted()).toEqual(["dead-0", "dead-2"]);
    for (const state of ["scheduled", "dead"] as const) {
      const [first] = await collected(queue.jobs({ state, error: "timeout", limit: 1 }));
      expect(first?.error).toMatch(/^RangeError: timeout/);
      const behind = await ids({ state, error: "timeout", cursor: first?.cursor ?? "" });
      const prefix = state === "dead" ? "dead" : "retry";
      expect([first?.id ?? "", ...behind].toSorted()).toEqual([`${prefix}-0`, `${prefix}-2`]);
    }
    if (transactional) {
      expect(await ids({ state: "scheduled", error: "timeout", contains: "7 MS" })).toEqual(["retry-2"]);
      expect(await ids({ state: "scheduled", error: "no such", contains: "7 ms" })).toEqual([]);
    }
  });

  test("are searched with a state of those that stand still alone, and by a text", () => {
    const queue = open("refusing");
    const refused = expect.objectContaining({ code: "INVALID_OPTION" }) as Error;
    for (const options of [
      { error: "a" },
      { error: "a", state: "waiting" },
      { error: "", state: "dead" },
      { error: "x".repeat(1_001), state: "dead" },
      { error: "a\0", state: "dead" },
      { error: /a/, state: "dead" },
      { error: 7, state: "scheduled" },
    ]) {
      expect(() => queue.jobs(options as JobsOptions), JSON.stringify(options)).toThrow(refused);
    }
  });
});

test("one error is found among many thousand", async () => {
  const queue = stage.keyline().queue<number>("many", { transactional: true });
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, last_error)
      SELECT $1, 'of-' || n, to_json(n), 'dead', CASE WHEN n = 4321 THEN 'the needle' ELSE 'hay' END FROM generate_series(1, 5000) AS n`,
    [queue.name],
  );
  expect((await collected(queue.jobs({ state: "dead", error: "needle" }))).map(({ id }) => id)).toEqual(["of-4321"]);
  expect(await collected(queue.jobs({ state: "dead", error: "needles" }))).toEqual([]);
});
