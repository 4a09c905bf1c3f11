import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, gate, openQuietStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());

const million = 1_000_000;
const part = 50_000;

/** Has the line of a group whose first job has its turn, as Keyline writes it (scripts/groups.lua). */
async function fillLine(base: string, group: string): Promise<void> {
  const [admitted = ""] = ((await stage.valkey.hget(`${base}grouped`, group)) ?? "").split("\x1e");
  const fill = `
    local before = ARGV[3]
    for n = ARGV[2] + 1, ARGV[2] + ${part} do
      local id = ARGV[1] .. '-' .. string.format('%.0f', n)
      redis.call('HSET', KEYS[1], before,
        '{"id":"' .. id .. '","at":1764400000000,"group":"' .. ARGV[1] .. '",' .. (n % 4 == 0 and string.format('"line":%.0f,', n) or '') .. '"data":"' .. ARGV[1] .. '"}')
      before = id
    end
    redis.call('HSET', KEYS[1], '\\29' .. ARGV[1], string.format('%.0f 0 ', ARGV[2] + ${part}) .. before)
    redis.call('INCRBY', KEYS[2], ${part})`;
  for (let from = 0; from < million; from += part) {
    const before = from === 0 ? admitted : `${group}-${from}`;
    await stage.valkey.eval(fill, 2, `${base}lines`, `${base}blocked`, group, from, before);
  }
}

test("a group with a million jobs does not keep one with a single job waiting, nor those of none", async () => {
  const queue = stage.keyline().queue<string>("turns");
  const base = `${stage.prefix}:{turns}:`;
  await queue.add("first", { group: "long" });
  await fillLine(base, "long");
  expect(await queue.counts()).toMatchObject({ waiting: 1, blocked: million });
  await queue.add("last", { group: "long" });
  const ran: string[] = [];
  const longOnes: string[] = [];
  let [held, reached] = [gate(), gate()];
  held.open();
  const worker = queue.work(async ({ id, data }) => {
    ran.push(data);
    if (data === "long") longOnes.push(id);
    reached.open();
    await held.opened;
  });
  await eventually("it is in the middle of the long one", () => ran.length > 2_000);
  for (let round = 0; round < 20; round++) {
    [held, reached] = [gate(), gate()];
    await reached.opened;
    const before = ran.length;
    const singles = [`single-${round}`, `none-${round}`];
    await queue.addMany([{ data: `single-${round}`, group: `single-${round}` }, { data: `none-${round}` }]);
    held.open();
    await eventually("both have run", () => singles.every((data) => ran.includes(data)));
    for (const data of singles) expect(ran.indexOf(data) - before).toBeLessThan(5);
  }
  await worker.stop();
  expect(longOnes).toEqual(longOnes.map((_, index) => `long-${index + 1}`));
  expect(await queue.counts()).toMatchObject({ waiting: 1, blocked: million - longOnes.length });
}, 180_000);
