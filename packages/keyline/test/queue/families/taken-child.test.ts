import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const rules = { transactional: true } as const;

/** Resolves when somebody waits in PostgreSQL for a transaction to end. */
async function somebodyWaits(): Promise<void> {
  await eventually("somebody waits for the transaction", async () => {
    const { rows } = await stage.pool.query<{ count: string }>(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return Number(rows[0]?.count) > 0;
  });
}

test.each([{ within: false }, { within: true }])(
  "a child whose id another transaction takes at the same moment is refused by its name or as one of them (in a transaction: $within)",
  async ({ within }) => {
    const keyline = stage.keyline();
    const name = `taken-${within}`;
    const [parents, children] = [keyline.queue<number>(`${name}-parents`, rules), keyline.queue<number>(name, rules)];
    const below = [{ queue: children, data: 1, options: { id: "the-one" } }];
    const taken = Promise.withResolvers<void>();
    const ends = Promise.withResolvers<void>();
    const first = keyline.transaction(async (tx) => {
      await parents.add(1, { children: below, tx });
      taken.resolve();
      await ends.promise;
    });
    await taken.promise;
    const second = within ? keyline.transaction((tx) => parents.add(2, { children: below, tx })) : parents.add(2, { children: below });
    const refused = expect(second).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(within ? "the id of one of the children" : "the-one") as string,
    });
    await somebodyWaits();
    ends.resolve();
    await first;
    await refused;
    const { rows } = await stage.pool.query<{ count: string }>("SELECT count(*) FROM keyline.job WHERE queue IN ($1, $2)", [
      name,
      `${name}-parents`,
    ]);
    expect(Number(rows[0]?.count)).toBe(2);
  },
);
