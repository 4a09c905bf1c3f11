import { afterAll, beforeAll, expect, test } from "vitest";
import { countOf } from "../../../src/postgres/job/held-count.ts";
import { openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const queue = "q";

test("what a worker says of its attempts decides which jobs it ends; one of the version before ends all that nobody has overtaken", async () => {
  const insert = (): Promise<unknown> =>
    stage.pool.query(
      `INSERT INTO keyline.job (queue, id, data, attempts, is_changed, changed_in, delivered_to)
       VALUES ($1, 'fresh', '1', 0, NULL, NULL, 'x'), ($1, 'tried', '1', 2, NULL, NULL, 'x'), ($1, 'changed', '1', 0, true, 3, 'x'), ($1, 'changed and tried', '1', 2, true, NULL, 'x')`,
      [queue],
    );
  const ids = ["fresh", "tried", "changed", "changed and tried"];
  const settle = async (counts: string | null): Promise<string[]> => {
    await insert();
    await stage.pool.query("SELECT keyline.settle_jobs($1, $2, $3)", [queue, ids.join("\x1f"), counts]);
    const { rows } = await stage.pool.query<{ id: string }>("DELETE FROM keyline.job WHERE queue = $1 RETURNING id", [queue]);
    return ids.filter((id) => !rows.some((row) => row.id === id));
  };
  const counts = (...list: (number | bigint)[]): string => list.join("\x1f");
  expect(await settle(null)).toEqual(["fresh", "changed"]);
  expect(await settle(counts(0, 2, 0, 2))).toEqual(ids);
  expect(await settle("")).toEqual(["fresh"]);
  expect(await settle(counts(-1, -3, -1, -3))).toEqual(["fresh", "tried"]);
  expect(await settle(counts(-1, -2, 0, 2))).toEqual(["fresh", "changed", "changed and tried"]);
  expect(await settle(counts(-4, -4, -4, 1))).toEqual(["fresh", "tried"]);
  const asked = (attempts: number, period: number): number | bigint => countOf({ id: "", attempts, period });
  expect(await settle(counts(asked(0, 0), asked(2, 0), asked(0, 3), asked(2, 0)))).toEqual(ids);
  expect(await settle(counts(asked(0, 1), asked(2, 1), asked(0, 2), asked(2, 1)))).toEqual(["fresh", "tried", "changed and tried"]);
  expect(await settle(counts(asked(1, 0), asked(1, 0), asked(2 ** 31 - 1, 3), asked(2 ** 31 - 1, 0)))).toEqual([
    "fresh",
    "changed",
    "changed and tried",
  ]);
  const settleOne = async (id: string, count: number | bigint): Promise<boolean> => {
    await insert();
    const { rows } = await stage.pool.query<{ xid: string | null }>("SELECT keyline.settle_job($1, $2, $3) AS xid", [queue, id, count]);
    await stage.pool.query("DELETE FROM keyline.job WHERE queue = $1", [queue]);
    return rows[0]?.xid !== null;
  };
  expect([await settleOne("changed", 0), await settleOne("changed", -1), await settleOne("fresh", -1)]).toEqual([true, false, true]);
  expect([await settleOne("tried", -2), await settleOne("tried", -3), await settleOne("changed and tried", 2)]).toEqual([
    false,
    true,
    true,
  ]);
  expect([
    await settleOne("changed", asked(0, 3)),
    await settleOne("changed", asked(0, 2)),
    await settleOne("changed", asked(0, 4)),
  ]).toEqual([true, false, true]);
  expect([await settleOne("changed", asked(0, 2 ** 31 - 2)), await settleOne("fresh", asked(0, 0))]).toEqual([true, true]);
});
