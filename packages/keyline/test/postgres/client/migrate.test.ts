import { afterAll, beforeAll, expect, test } from "vitest";
import { openEffectsStage, type EffectsStage } from "../../support/effects-stage.ts";
import { openStage } from "../../support/stage.ts";

let stage: EffectsStage;
beforeAll(async () => {
  stage = await openEffectsStage();
});
afterAll(() => stage.close());

test("migrating from many processes at once, and again, does it once", async () => {
  const bare = await openStage();
  const keylines = Array.from({ length: 5 }, () => bare.keyline());
  await Promise.all(keylines.map((one) => one.migrate()));
  await keylines[0]?.migrate();
  const { rows } = await bare.pool.query<{ version: number }>("SELECT version FROM keyline.migration ORDER BY version");
  expect(rows).toEqual(rows.map((_, index) => ({ version: index + 1 })));
  await bare.pool.query("INSERT INTO keyline.migration (version, name) VALUES (99, 'from the future')");
  await expect(keylines[0]?.migrate()).rejects.toMatchObject({ code: "SCHEMA_TOO_NEW" });
  await bare.close();
});
