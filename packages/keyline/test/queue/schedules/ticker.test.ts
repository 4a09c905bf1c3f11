import { expect, test } from "vitest";
import type { ScheduleBook, TickedSchedule } from "../../../src/queue/schedules/schedule-book.ts";
import type { ScheduleState } from "../../../src/queue/schedules/schedule-state.ts";
import { Ticker } from "../../../src/queue/schedules/ticker.ts";
import { eventually } from "../../support/stage.ts";

const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** A book of one schedule, which keeps what it was given. */
function bookOf(first: ScheduleState, now: number): { readonly book: ScheduleBook; readonly written: TickedSchedule[] } {
  let state = first;
  const written: TickedSchedule[] = [];
  const book = {
    due: async () => {
      const isDue = state.nextAt !== undefined && state.nextAt <= now;
      return { now, due: isDue ? [state] : [], nextMs: state.nextAt === undefined ? undefined : state.nextAt - now };
    },
    tick: async (schedules: readonly TickedSchedule[]) => {
      for (const one of schedules) {
        written.push(one);
        state = one.after;
      }
      return new Set(schedules.map(({ after }) => after.name));
    },
  };
  return { book: book as unknown as ScheduleBook, written };
}

function missedSince(nextAt: number, dataJson: string): ScheduleState {
  return {
    name: "s",
    revision: "r",
    nextAt,
    paused: false,
    lastAt: undefined,
    ticks: 0,
    since: 0,
    spec: { every: 1_000, missed: "all" },
    dataJson,
  };
}

test.each([
  ["a hundred ticks at a time", "1", 100],
  ["fewer of large data: about a mebibyte at a time", `"${"x".repeat(200_000)}"`, 5],
  ["one at a time of the largest", `"${"x".repeat(2_000_000)}"`, 1],
])("makes %s", async (_, dataJson, most) => {
  const { book, written } = bookOf(missedSince(1_000, dataJson), 250_500);
  const ticker = new Ticker(book, { logger, noteAdded: () => undefined });
  ticker.look();
  await eventually("all are made", () => written.reduce((sum, { ticks }) => sum + ticks.length, 0) === 250);
  await ticker.stop();
  expect(Math.max(...written.map(({ ticks }) => ticks.length))).toBe(most);
  expect(written.flatMap(({ ticks }) => ticks.map(({ at }) => at))).toEqual(Array.from({ length: 250 }, (__, n) => (n + 1) * 1_000));
});

test("looks at the beginning of a lease, when it is told, and when a tick is due", async () => {
  let looks = 0;
  const waits = [200, 3_600_000, undefined, undefined];
  const due = async (): Promise<object> => ({ now: 1_000, due: [], nextMs: waits[looks++] });
  const ticker = new Ticker({ due } as unknown as ScheduleBook, { logger, noteAdded: () => undefined });
  ticker.start();
  expect(looks).toBe(0);
  ticker.noteBegun();
  await eventually("it looked, and once more when a tick was due", () => looks === 2);
  ticker.follow({ held: 0, tick: 0 });
  await eventually("it looked when a beat said so", () => looks === 3);
  ticker.look();
  await eventually("it looked when it was told", () => looks === 4);
  await ticker.stop();
  ticker.look();
  expect(looks).toBe(4);
});
