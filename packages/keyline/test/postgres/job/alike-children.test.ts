import { afterAll, beforeAll, expect, test } from "vitest";
import { openEffectsStage, type EffectsStage } from "../../support/effects-stage.ts";
import { openQuietStage } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage(openQuietStage);
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const separator = "\x1f";
const numbers = Array.from({ length: 60 }, (_, n) => n);
const idOf = (n: number): string => `c${String(n).padStart(4, "0")}`;

/** What a family's children are in the rows, but for what no two adds have in common. */
async function rowsOf(name: string): Promise<unknown> {
  const jobs = await stage.pool.query<Record<string, unknown>>("SELECT * FROM keyline.job WHERE queue LIKE $1 || '-%' ORDER BY seq", [
    name,
  ]);
  const children = await stage.pool.query(
    `SELECT child.number, replace(child.queue, $1, '') AS queue, child.id, child.outcome, child.value, child.reason
      FROM keyline.family JOIN keyline.family_child AS child ON child.family = family.id WHERE family.queue = $1 || '-parents' ORDER BY child.number`,
    [name],
  );
  const deliveries = await stage.pool.query<{ mark: string }>(
    "SELECT 'delivery:' || id AS mark FROM keyline.delivery WHERE queue = $1 || '-children' ORDER BY id",
    [name],
  );
  return {
    jobs: jobs.rows.map(({ seq: _seq, added_at: _at, queue, delivered_to: to, ...same }) => ({
      ...same,
      queue: String(queue).replace(name, ""),
      delivery: to === null ? undefined : deliveries.rows.findIndex(({ mark }) => mark === to),
    })),
    children: children.rows,
    deliveries: deliveries.rows.length,
  };
}

/** A parent with children of one queue, and behind them others that it adds while it runs; `delays` says that there is a list of them, and is what tells children that may differ from those that are alike. */
async function addBoth(name: string, trace: string | null, delays: readonly null[] | null): Promise<void> {
  const [parents, children] = [`${name}-parents`, `${name}-children`];
  const listsOf = (some: readonly number[]): unknown[] => [
    [children],
    some.map(idOf).join(separator),
    some.map((n) => JSON.stringify({ n, text: "é 漢" })).join(separator),
    delays,
    [parents],
    ["above"],
    trace,
    JSON.stringify([{ queue: children, first: idOf(some[0] ?? 0), last: idOf(some.at(-1) ?? 0) }]),
  ];
  const added = await stage.pool.query<{ answer: string; deliveries: Record<string, string> }>(
    `SELECT answer, deliveries FROM keyline.add_packed_family(
      $1, 'above', '{}', NULL, NULL, NULL, 'die', $2::text[], $3, $4, NULL, $5::float8[], NULL, NULL, NULL, NULL, NULL, $6::text[], $7::text[], NULL, $8, $9::json)`,
    [parents, ...listsOf(numbers)],
  );
  const more = await stage.pool.query<{ answer: string; deliveries: Record<string, string> }>(
    `SELECT answer, deliveries FROM keyline.add_packed_to_family(
      $1, 'above', 0, 1, NULL, $2::text[], $3, $4, NULL, $5::float8[], NULL, NULL, NULL, NULL, NULL, $6::text[], $7::text[], NULL, $8, $9::json)`,
    [parents, ...listsOf(numbers.map((n) => n + numbers.length))],
  );
  for (const { rows } of [added, more]) {
    expect(rows).toEqual([{ answer: "added", deliveries: { [children]: expect.stringMatching(/^\d+$/) as string } }]);
  }
}

test.each([{ trace: null }, { trace: "00-trace" }])(
  "children that are alike are the rows that they are where each might have options of its own (trace $trace)",
  async ({ trace }) => {
    const [alike, apart] = [stage.nextQueue().name, stage.nextQueue().name];
    await addBoth(alike, trace, null);
    await addBoth(
      apart,
      trace,
      numbers.map(() => null),
    );
    const rows = await rowsOf(alike);
    expect(rows).toEqual(await rowsOf(apart));
    expect(rows).toMatchObject({ deliveries: 2 });
    expect((rows as { children: { number: number; id: string }[] }).children.map(({ number, id }) => ({ number, id }))).toEqual(
      Array.from({ length: 2 * numbers.length }, (_, n) => ({ number: n + 1, id: idOf(n) })),
    );
  },
);
