import { createTestKeyline, type TestKeyline } from "keyline/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openEither } from "../../support/either-queue.ts";
import { kinds } from "../../support/schedule-stage.ts";

let t: TestKeyline;
beforeEach(async () => {
  t = await createTestKeyline();
});
afterEach(() => t.close());

const hour = 3_600_000;
const day = 24 * hour;
const timezone = "Europe/Berlin";

/** How far its clocks are ahead of UTC then, in hours. */
function offsetAt(ms: number): number {
  const shown = new Intl.DateTimeFormat("en", { timeZone: timezone, hour: "numeric", hourCycle: "h23" }).format(ms);
  return (Number(shown) - new Date(ms).getUTCHours() + 24) % 24;
}

/** When they are next changed by so many hours. */
function nextChange(by: 1 | -1): number {
  let at = Math.ceil(Date.now() / hour) * hour + 3 * day;
  while (offsetAt(at) - offsetAt(at - hour) !== by) at += hour;
  return at;
}

const changes = [
  // 2:30 is left out: it comes at the end of the gap, when the clocks show 3:00.
  { what: "forward", by: 1 as const, before: -day + hour / 2, during: 0, after: day - hour / 2 },
  // 2:30 comes twice, and counts the first time.
  { what: "back", by: -1 as const, before: -day - hour / 2, during: -hour / 2, after: day + hour / 2 },
];

describe.each(kinds)("on $kind", ({ transactional }) => {
  test.each(changes)(
    "a worker makes each tick of a cron once where clocks are set $what",
    async ({ by, before, during, after }) => {
      const change = nextChange(by);
      const queue = openEither<string>(t.keyline, "ticking", { transactional });
      queue.work(() => undefined);
      await t.advance(change - 1.5 * day - Date.now());
      await queue.schedule("daily", { cron: "30 2 * * *", timezone, data: "daily", missed: "all" });
      await queue.schedule("hourly", { cron: "0 * * * *", timezone, data: "hourly", missed: "all" });
      await t.drain();
      const ticks = new Map<string, number[]>([
        ["daily", []],
        ["hourly", []],
      ]);
      for (let passed = 0; passed < 3 * day; passed += 5 * hour) {
        await t.advance(5 * hour);
        for (const { schedule } of await t.drain()) if (schedule) ticks.get(schedule.name)?.push(schedule.at);
      }
      expect(ticks.get("daily")).toEqual([before, during, after].map((from) => change + from));
      const hourly = ticks.get("hourly") ?? [];
      const [first = 0] = hourly;
      // The clocks of that place show it, and time itself goes on.
      expect(hourly).toEqual(hourly.map((_, index) => first + index * hour));
      expect(hourly.length).toBeGreaterThanOrEqual(71);
    },
    240_000,
  );
});
