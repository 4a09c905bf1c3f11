import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

describe.each([
  ["plain", false],
  ["transactional", true],
] as const)("info of a %s stream", (kind, transactional) => {
  const open = (name: string) =>
    transactional ? stage.keyline().stream<number>(name, { transactional }) : stage.keyline().stream<number>(name);

  test("says how many entries there are, and which are the first and the last", async () => {
    const stream = open(`${kind}-info`);
    expect(await stream.info()).toEqual({ length: 0, isLengthExact: true, firstId: undefined, lastId: undefined });
    const entries = await stream.appendMany([1, 2, 3]);
    expect(await stream.info()).toEqual({ length: 3, isLengthExact: true, firstId: entries[0]?.id, lastId: entries[2]?.id });
    const { id } = await stream.append(4);
    expect(await stream.info()).toMatchObject({ length: 4, lastId: id });
  });
});

test("a long record is counted by several looks", async () => {
  const stream = stage.keyline().stream<number>("long", { transactional: true });
  await stream.append(0);
  await stage.pool.query(`INSERT INTO keyline.event (stream, position, data)
    SELECT 'long', last_position + i, '1' FROM keyline.stream CROSS JOIN generate_series(1, 50000) AS i WHERE name = 'long'`);
  await stage.pool.query("UPDATE keyline.stream SET last_position = last_position + 50000 WHERE name = 'long'");
  const exact: boolean[] = [];
  for (let look = 0; look < 3; look++) exact.push((await stream.info()).isLengthExact);
  expect(exact).toEqual([false, false, true]);
  expect(await stream.info()).toMatchObject({ length: 50_001, isLengthExact: true });
});
