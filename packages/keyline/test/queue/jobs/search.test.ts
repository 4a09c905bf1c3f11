import { Discard } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collected } from "../../support/collected.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

let queues = 0;
const open = () => stage.keyline().queue<{ readonly to: string }>(`search-${queues++}`, { transactional: true });

test("finds scheduled and dead jobs by a text in their data, capitals or not, in pages with cursors", async () => {
  const queue = open();
  const worker = queue.work(() => {
    throw new Discard("no");
  });
  let deaths = 0;
  worker.on("dead", () => deaths++);
  const names = ["Ann", "bob", "ANNA", 'say "hi"', "Zoë"];
  await queue.addMany(names.map((to, n) => ({ data: { to }, id: `dead-${n}` })));
  await eventually("all are dead", () => deaths === names.length);
  await worker.stop();
  await queue.addMany(names.map((to, n) => ({ data: { to }, id: `later-${n}`, delay: 3_600_000 })));
  const idsOf = async (options: Parameters<typeof queue.jobs>[0]): Promise<string[]> =>
    (await collected(queue.jobs(options))).map(({ id }) => id);
  expect(await idsOf({ state: "dead", contains: "ann" })).toEqual(["dead-0", "dead-2"]);
  expect(await idsOf({ state: "scheduled", contains: "ann" })).toEqual(["later-0", "later-2"]);
  expect(await idsOf({ state: "dead", contains: 'say "hi"' })).toEqual(["dead-3"]);
  expect(await idsOf({ state: "dead", contains: "zoë" })).toEqual(["dead-4"]);
  expect(await idsOf({ state: "dead", contains: "%" })).toEqual([]);
  const [first] = await collected(queue.jobs({ state: "dead", contains: "ann", limit: 1 }));
  expect(first).toMatchObject({ id: "dead-0", state: "dead", data: { to: "Ann" } });
  expect(await idsOf({ state: "dead", contains: "ann", cursor: first?.cursor ?? "" })).toEqual(["dead-2"]);
});

test("looks at so many at a time, and finds one among many thousand", async () => {
  const queue = open();
  await stage.pool.query(
    `INSERT INTO keyline.job (queue, id, data, state, last_error)
      SELECT $1, 'of-' || n, json_build_object('to', CASE WHEN n = 4321 THEN 'needle' ELSE 'hay' END), 'dead', 'no' FROM generate_series(1, 5000) AS n`,
    [queue.name],
  );
  expect((await collected(queue.jobs({ state: "dead", contains: "needle" }))).map(({ id }) => id)).toEqual(["of-4321"]);
  expect(await collected(queue.jobs({ state: "dead", contains: "needles" }))).toEqual([]);
  // The connection goes back without its limit.
  const { rows } = await stage.pool.query<{ statement_timeout: string }>("SHOW statement_timeout");
  expect(rows[0]?.statement_timeout).toBe("0");
});

test("is refused without a state of those that stand still, for what is no text, and on a plain queue", () => {
  const queue = open();
  const refused = expect.objectContaining({ code: "INVALID_OPTION" }) as Error;
  expect(() => queue.jobs({ contains: "a" })).toThrow(refused);
  expect(() => queue.jobs({ contains: "a", state: "waiting" })).toThrow(refused);
  expect(() => queue.jobs({ contains: "", state: "dead" })).toThrow(refused);
  expect(() => queue.jobs({ contains: "x".repeat(201), state: "dead" })).toThrow(refused);
  const plain = stage.keyline().queue(`search-${queues++}`);
  expect(() => plain.jobs({ contains: "a", state: "dead" })).toThrow(expect.objectContaining({ code: "NOT_TRANSACTIONAL" }) as Error);
});
