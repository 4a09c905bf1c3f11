import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { causeOf } from "../../../src/queue/letters/cause.ts";
import { lettersOf } from "../../support/letters.ts";
import { openStage, type Stage } from "../../support/stage.ts";
import { ill, openWard } from "../../support/ward.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

test.each([
  ["Error: no user 17 in shop 4", "Error: no user # in shop #"],
  ["Error: connect ECONNREFUSED 127.0.0.1:5432", "Error: connect ECONNREFUSED #"],
  ["ERR_HTTP2_STREAM_ERROR: stream 3 closed", "ERR_HTTP2_STREAM_ERROR: stream # closed"],
  ["TypeError: can't read 'a b' of \"x\\\"", "TypeError: can't read '…' of \"…\""],
  ["Error: don't give ann's", "Error: don't give ann's"],
  ["Error: order 550e8400-e29b-41d4-a716-446655440000 is gone", "Error: order # is gone"],
  ["Error: two\n  lines, 1,000.5 + 3", "Error: two lines, # + #"],
  ["TIMEOUT: after 30000ms", "TIMEOUT: after #"],
  ["no type at all #12", "no type at all #"],
  ["", ""],
])("the cause of %j is %j", (reason, cause) => {
  expect(causeOf(reason)).toBe(cause);
});

test("a cause is short, whatever the reason, and told quickly of a hostile one", () => {
  for (const part of ["'a ", "#.", "-", "a", '"', "1-", "` '", "😀"]) {
    const before = process.cpuUsage();
    for (let round = 0; round < 100; round++) expect(causeOf(`Error: ${part.repeat(2_000)}`).length).toBeLessThanOrEqual(200);
    // Of processor time, as others use the machine: a millisecond each, where quadratic ones of 2,000 characters would take twenty.
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
  }
});

describe.each([false, true])("causes of dead letters (transactional: %s)", (transactional) => {
  test("are told with how many, an example, and when the first and the last died", async () => {
    const { queue, ...ward } = openWard(stage, { transactional });
    expect(await queue.deadLetterCauses()).toEqual({ causes: [], looked: 0, total: 0 });
    await ward.die(["no user 1", "disk of 'ann' full", "no user 22", "no user 333"].map((error, n) => ill(n, error)));
    await ward.close();
    const times = (await lettersOf(queue)).map(({ at }) => at);
    const users = { cause: "Discard: no user #", example: "Discard: no user 333", count: 3, firstAt: times[3], lastAt: times[0] };
    const disk = {
      cause: "Discard: disk of '…' full",
      example: "Discard: disk of 'ann' full",
      count: 1,
      firstAt: times[2],
      lastAt: times[2],
    };
    expect(await queue.deadLetterCauses()).toEqual({ causes: [users, disk], looked: 4, total: 4 });
    expect(await queue.deadLetterCauses({ limit: 1 })).toEqual({ causes: [users], looked: 4, total: 4 });
  });

  test("say which letters are read, redriven and discarded", async () => {
    const { queue, ...ward } = openWard(stage, { transactional });
    await ward.die(["no user 1", "disk full", "no user 22", "no user 333"].map((error, n) => ill(n, error)));
    await ward.close();
    const cause = "Discard: no user #";
    const idsOf = async (): Promise<string[]> => (await lettersOf(queue)).map(({ id }) => id);
    expect((await lettersOf(queue, { cause })).map(({ id }) => id)).toEqual(["job-3", "job-2", "job-0"]);
    expect(await queue.redrive({ cause, limit: 1 })).toBe(1);
    expect(await idsOf()).toEqual(["job-3", "job-2", "job-1"]);
    expect(await queue.discard({ cause })).toBe(2);
    expect(await idsOf()).toEqual(["job-1"]);
    expect(await queue.discard({ cause: "Discard: no user" })).toBe(0);
  });

  test("a dry run counts what fits and does nothing to it", async () => {
    const { queue, ...ward } = openWard(stage, { transactional });
    await ward.die(["no user 1", "disk full", "no user 22"].map((error, n) => ill(n, error)));
    await ward.close();
    const letters = await lettersOf(queue);
    const progress: unknown[] = [];
    for (const act of ["redrive", "discard"] as const) {
      expect(await queue[act]({ cause: "Discard: no user #", dryRun: true })).toBe(2);
      expect(await queue[act]({ ids: ["job-1", "job-9"], dryRun: true })).toBe(1);
      expect(await queue[act]({ all: true, dryRun: true, limit: 2 })).toBe(2);
      expect(await queue[act]({ all: true, dryRun: true, onProgress: (one) => progress.push(one) })).toBe(3);
    }
    expect(progress.at(-1)).toEqual({ done: 3, total: 3 });
    expect(await lettersOf(queue)).toEqual(letters);
    expect(await queue.discard({ cause: "Discard: no user #", dryRun: false })).toBe(2);
  });

  test("what is no cause, limit or dry run is refused before anything is done", async () => {
    const { queue, ...ward } = openWard(stage, { transactional });
    await ward.die([ill(1)]);
    await ward.close();
    const refused = expect.objectContaining({ code: "INVALID_OPTION" }) as Error;
    await expect(queue.discard({ cause: undefined as unknown as string })).rejects.toEqual(refused);
    await expect(queue.discard({ cause: 1 as unknown as string })).rejects.toEqual(refused);
    await expect(queue.discard({ all: true, dryRun: "no" as unknown as boolean })).rejects.toEqual(refused);
    await expect(queue.deadLetterCauses({ limit: 0 })).rejects.toEqual(refused);
    await expect(queue.deadLetterCauses({ max: 1 } as object)).rejects.toEqual(refused);
    expect(await lettersOf(queue)).toHaveLength(1);
  });
});

test("of more letters than are looked at the newest count, and the others are in the total", async () => {
  const { queue, ...ward } = openWard(stage, { transactional: true });
  await ward.close();
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, last_error, died_at)
      SELECT $1, 'of-' || n, '1', 'dead', CASE WHEN n <= 100 THEN 'Error: old ' ELSE 'Error: new ' END || n, now() + n * interval '1 millisecond'
      FROM generate_series(1, 10500) AS n`,
    [queue.name],
  );
  const { causes, looked, total } = await queue.deadLetterCauses();
  expect({ looked, total }).toEqual({ looked: 10_000, total: 10_500 });
  expect(causes).toMatchObject([{ cause: "Error: new #", count: 10_000 }]);
});
