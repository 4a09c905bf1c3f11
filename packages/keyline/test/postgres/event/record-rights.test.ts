import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
let role: string;
let restrictedUrl: string;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  role = `${stage.prefix}_shop`;
  await stage.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'shop';
    GRANT USAGE ON SCHEMA keyline TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA keyline TO ${role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA keyline TO ${role}`);
  const url = new URL(stage.databaseUrl);
  url.username = role;
  url.password = "shop";
  restrictedUrl = url.href;
});

afterAll(async () => {
  await stage.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  await stage.close();
});

test("a role with no more than the documented grants appends, reads, and drops old weeks", async () => {
  const keyline = stage.keyline({ postgres: restrictedUrl });
  const stream = keyline.stream<number>("restricted", { transactional: true, retention: { recordMaxAge: 86_400_000 } });
  await keyline.transaction((tx) => stream.append(1, { tx }));
  await stream.append(2, { idempotencyKey: "k" });
  const values: number[] = [];
  for await (const { data } of stream.read()) values.push(data);
  expect(values).toEqual([1, 2]);
  const restricted = new pg.Client({ connectionString: restrictedUrl });
  await restricted.connect();
  try {
    const isThere = async (week: string): Promise<boolean> => {
      const { rows } = await stage.pool.query("SELECT to_regclass($1) IS NOT NULL AS is_there", [`keyline.event_${week}`]);
      return (rows as { is_there: boolean }[])[0]?.is_there === true;
    };
    await restricted.query("SELECT keyline.ensure_event_week('2020-01-08T00:00:00Z')");
    expect(await isThere("20200106")).toBe(true);
    await eventually("the old week is gone", async () => {
      await restricted.query("SELECT keyline.drop_expired_events(100)");
      return !(await isThere("20200106"));
    });
  } finally {
    await restricted.end();
  }
});
