import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dueTicks, ticksOf, type ScheduleSpec } from "../../../src/queue/schedules/schedule-times.ts";

const at = (text: string): number => Date.parse(text);
const cronIn =
  (timezone: string) =>
  (cron: string, from: string, count: number): string[] => {
    const next = ticksOf({ cron, timezone, missed: "once" }, 0);
    const ticks: string[] = [];
    for (let tick: number | undefined = at(from); ticks.length < count;) {
      tick = next(tick);
      if (tick === undefined) break;
      ticks.push(new Date(tick).toISOString().replace(".000Z", "Z"));
    }
    return ticks;
  };

describe("where clocks change", () => {
  const inBerlin = cronIn("Europe/Berlin");

  test("a time of the day that is left out comes at the end of the gap, once", () => {
    const march = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    expect(inBerlin("30 2 * * *", "2026-03-27T12:00:00Z", 3)).toEqual(march);
    expect(inBerlin("30 2,14 * * *", "2026-03-28T20:00:00Z", 2)).toEqual(["2026-03-29T01:00:00Z", "2026-03-29T12:30:00Z"]);
    expect(inBerlin("0,30 2,3 * * *", "2026-03-28T20:00:00Z", 3)).toEqual([
      "2026-03-29T01:00:00Z",
      "2026-03-29T01:30:00Z",
      "2026-03-30T00:00:00Z",
    ]);
  });

  test("a time of the day that comes twice counts once, the first time", () => {
    const october = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    expect(inBerlin("30 2 * * *", "2026-10-23T12:00:00Z", 3)).toEqual(october);
  });

  test("what ticks through the day ticks on in both", () => {
    const march = ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"];
    expect(inBerlin("*/30 * * * *", "2026-03-29T00:15:00Z", 3)).toEqual(march);
    const october = ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"];
    expect(inBerlin("*/30 * * * *", "2026-10-25T00:15:00Z", 4)).toEqual(october);
  });

  test("midnight may be what is left out", () => {
    const midnights = ["2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"];
    expect(cronIn("Africa/Cairo")("0 0 * * *", "2026-04-22T12:00:00Z", 3)).toEqual(midnights);
  });

  test("every goes on by the same milliseconds", () => {
    const next = ticksOf({ every: 3_600_000, missed: "once" }, at("2026-03-29T00:10:00Z"));
    expect(next(at("2026-03-29T00:50:00Z"))).toBe(at("2026-03-29T01:10:00Z"));
    expect(next(at("2026-03-29T01:10:00Z"))).toBe(at("2026-03-29T02:10:00Z"));
  });
});

describe("cron", () => {
  const inUtc = cronIn("UTC");

  test("takes five fields, or six with seconds", () => {
    expect(inUtc("0 3 * * *", "2026-01-01T03:00:00Z", 1)).toEqual(["2026-01-02T03:00:00Z"]);
    expect(inUtc("*/20 0 3 * * *", "2026-01-01T03:00:00Z", 2)).toEqual(["2026-01-01T03:00:20Z", "2026-01-01T03:00:40Z"]);
    expect(inUtc("0 0 L * *", "2026-02-01T00:00:00Z", 1)).toEqual(["2026-02-28T00:00:00Z"]);
    expect(inUtc("0 0 30 2 *", "2026-02-01T00:00:00Z", 1)).toEqual([]);
  });

  test("ticks at its start, and at its end", () => {
    const [startAt, endAt] = [at("2026-01-01T03:00:00Z"), at("2026-01-02T03:00:00Z")];
    const next = ticksOf({ cron: "0 3 * * *", timezone: "UTC", startAt, endAt, missed: "once" }, 0);
    expect(next(0)).toBe(startAt);
    expect(next(startAt - 1)).toBe(startAt);
    expect(next(startAt)).toBe(endAt);
    expect(next(endAt)).toBeUndefined();
  });
});

describe("every", () => {
  test("is counted from the declaration, or from the start, which is a tick itself", () => {
    const declared = ticksOf({ every: 1_000, missed: "once" }, 500);
    expect(declared(500)).toBe(1_500);
    expect(declared(2_499)).toBe(2_500);
    expect(declared(2_500)).toBe(3_500);
    const started = ticksOf({ every: 1_000, startAt: 10_250, endAt: 12_250, missed: "once" }, 500);
    expect([0, 10_249, 10_250, 11_250, 12_250].map(started)).toEqual([10_250, 10_250, 11_250, 12_250, undefined]);
  });
});

const zone = fc.constantFrom("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC", "Asia/Kathmandu");
const pattern = fc.constantFrom(
  "30 2 * * *",
  "*/7 * * * *",
  "0 0 * * *",
  "15 1,2,3 * * *",
  "0 */2 * * *",
  "*/20 30 1-3 * * *",
  "0 12 29 2 *",
);
const spec: fc.Arbitrary<ScheduleSpec> = fc.oneof(
  fc.record({ cron: pattern, timezone: zone, missed: fc.constantFrom("skip", "once", "all") }),
  fc.record({ every: fc.integer({ min: 100, max: 50_000_000 }), missed: fc.constantFrom("skip", "once", "all") }),
);
// Around the changes of clocks in some of the zones, and anywhere.
const moment = fc.oneof(
  fc.integer({ min: at("2026-03-28T20:00:00Z"), max: at("2026-03-29T06:00:00Z") }),
  fc.integer({ min: at("2026-10-24T20:00:00Z"), max: at("2026-10-25T06:00:00Z") }),
  fc.integer({ min: at("2026-04-04T10:00:00Z"), max: at("2026-04-05T06:00:00Z") }),
  fc.integer({ min: at("2025-01-01T00:00:00Z"), max: at("2029-01-01T00:00:00Z") }),
);

test("the next tick is later, and the same from anywhere between", () => {
  fc.assert(
    fc.property(spec, moment, fc.double({ min: 0, max: 1, noNaN: true }), (schedule, after, share) => {
      const next = ticksOf(schedule, at("2025-01-01T00:00:00Z"));
      const tick = next(after);
      if (tick === undefined) return;
      expect(tick).toBeGreaterThan(after);
      expect(next(after + Math.floor((tick - after - 1) * share))).toBe(tick);
    }),
    { numRuns: 2_000 },
  );
});

describe("what is due", () => {
  const every = (missed: ScheduleSpec["missed"], more: Partial<ScheduleSpec> = {}): ScheduleSpec => ({ every: 1_000, missed, ...more });
  const due = (schedule: ScheduleSpec, now: number, made = 0, room = 100): ReturnType<typeof dueTicks> =>
    dueTicks(ticksOf(schedule, 0), schedule, { first: 1_000, made, now, graceMs: 5_000, room });

  test("in time is made, each tick of it, whatever missed says", () => {
    for (const missed of ["skip", "once", "all"] as const) {
      expect(due(every(missed), 1_000)).toEqual({ ats: [1_000], nextAt: 2_000, hasMissed: false });
      expect(due(every(missed), 3_999)).toEqual({ ats: [1_000, 2_000, 3_000], nextAt: 4_000, hasMissed: false });
      expect(due(every(missed), 6_000).ats).toHaveLength(6);
    }
  });

  test("and was missed comes once, for the latest, never, or each time", () => {
    expect(due(every("once"), 7_500)).toEqual({ ats: [7_000], nextAt: 8_000, hasMissed: true });
    expect(due(every("skip"), 7_500)).toEqual({ ats: [], nextAt: 8_000, hasMissed: true });
    expect(due(every("all"), 7_500)).toEqual({ ats: [1, 2, 3, 4, 5, 6, 7].map((n) => n * 1_000), nextAt: 8_000, hasMissed: false });
    expect(due(every("all"), 7_500, 0, 3)).toEqual({ ats: [1_000, 2_000, 3_000], nextAt: 4_000, hasMissed: false });
  });

  test("ends with the schedule", () => {
    expect(due(every("once", { endAt: 5_500 }), 90_000)).toEqual({ ats: [5_000], nextAt: undefined, hasMissed: true });
    expect(due(every("all", { endAt: 2_000 }), 90_000)).toEqual({ ats: [1_000, 2_000], nextAt: undefined, hasMissed: false });
    expect(due(every("all", { limit: 5 }), 90_000, 3)).toEqual({ ats: [1_000, 2_000], nextAt: undefined, hasMissed: false });
    expect(due(every("once", { limit: 5 }), 90_000, 4)).toEqual({ ats: [90_000], nextAt: undefined, hasMissed: true });
    expect(due(every("skip", { limit: 5 }), 90_000, 4)).toEqual({ ats: [], nextAt: 91_000, hasMissed: true });
  });

  test("after years takes no longer than after minutes", () => {
    const schedule: ScheduleSpec = { every: 100, missed: "once" };
    const now = 10 * 366 * 86_400_000 + 50;
    const made = dueTicks(ticksOf(schedule, 0), schedule, { first: 100, made: 0, now, graceMs: 5_000, room: 100 });
    expect(made).toEqual({ ats: [now - 50], nextAt: now + 50, hasMissed: true });
  });

  test("the latest is the last of all that are due, for every schedule", () => {
    fc.assert(
      fc.property(spec, moment, fc.integer({ min: 0, max: 30_000_000 }), (any, after, span) => {
        const schedule: ScheduleSpec = { ...any, missed: "once" };
        const next = ticksOf(schedule, at("2025-01-01T00:00:00Z"));
        const first = next(after);
        if (first === undefined) return;
        const now = first + 5_001 + span;
        const all = [first];
        for (let tick = next(first); tick !== undefined && tick <= now && all.length < 2_000; tick = next(tick)) all.push(tick);
        fc.pre(all.length < 2_000);
        const last = all.at(-1) ?? first;
        const due = { first, made: 0, now, graceMs: 5_000, room: 1 };
        expect(dueTicks(next, schedule, due)).toEqual({ ats: [last], nextAt: next(last), hasMissed: last > first });
      }),
      { numRuns: 300 },
    );
  });
});
