import { afterAll, beforeAll, expect, test } from "vitest";
import { openQuietStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { alwaysSlow } from "./asked.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openQuietStage();
});
afterAll(() => stage.close());

const turn = "for turn = 1, ARGV[1] * 1e6 do end";
const keep = (turns: number, name: string): Promise<unknown> => stage.valkey.eval(`${turn} return ARGV[2]`, 0, turns, name);

test("a command that is slow each time is named, also if the next look does not make it again", async () => {
  let looks = 0;
  const look = async (): Promise<void> => {
    if (looks++ === 0) await keep(2, "once");
    await keep(2, "always");
    await keep(0, "never");
  };
  const slow = await alwaysSlow(stage, look);
  expect(new Set(slow.map((one) => one.split(" ").at(-1)))).toEqual(new Set(["once", "always"]));
  for (const one of slow) expect(one).toMatch(/^\d+ us: eval /i);
});

test("a command that was quick in one of the tries is not", async () => {
  let looks = 0;
  const look = async (): Promise<void> => {
    // The same command, which takes longer while the key is there.
    if (looks++ === 0) await stage.valkey.set("long", 1);
    else await stage.valkey.del("long");
    await stage.valkey.eval(`if redis.call('EXISTS', 'long') == 1 then ${turn} end return 0`, 0, 2);
  };
  expect(await alwaysSlow(stage, look)).toEqual([]);
  expect(looks).toBeGreaterThan(1);
});
