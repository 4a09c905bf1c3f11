import type { KnownStatus, QueueRates, RateSpan } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { Problem } from "../../src/api/basics.ts";
import { queueProblems, type QueueSeen } from "../../src/queue/queue-problems.ts";

let stage: Stage;
/** As they are of a queue of which nothing was ever asked. */
let counts: KnownStatus;
let rates: QueueRates;
beforeAll(async () => {
  stage = await openStage();
  const queue = stage.keyline().queue<number>("idle");
  [counts, rates] = await Promise.all([queue.counts({ known: true }), queue.rates({ minutes: 60 })]);
});
afterAll(() => stage.close());

const second = 1_000;
const minute = 60_000;

interface Changed {
  readonly counts?: Partial<KnownStatus>;
  /** Of each minute from so many ago on, up to the one that has not ended yet. */
  readonly minutes?: readonly (Partial<RateSpan> & { readonly ago: number })[];
  readonly total?: Partial<QueueRates["total"]>;
  readonly seen?: Partial<QueueSeen>;
}

function problemsOf({ counts: changedCounts, minutes = [], total, seen }: Changed): Problem[] {
  const last = rates.minutes.length - 1;
  const changedMinutes = rates.minutes.map((span, index) => ({ ...span, ...minutes.find(({ ago }) => index === last - ago) }));
  return queueProblems({
    counts: { ...counts, ...changedCounts },
    rates: { ...rates, minutes: changedMinutes, total: { ...rates.total, ...total } },
    workers: 1,
    oldestWaitingMs: undefined,
    ...seen,
  });
}

/** The same in each of the last minutes that are over. */
function lately(count: number, span: Partial<RateSpan>): readonly (Partial<RateSpan> & { readonly ago: number })[] {
  return Array.from({ length: count }, (_, index) => ({ ...span, ago: index + 1 }));
}

const cases: Record<string, readonly (readonly [when: string, changed: Changed, found: Partial<Problem> | undefined])[]> = {
  NO_WORKER: [
    [
      "jobs wait or stand in lines, and nobody works",
      { counts: { waiting: 2, blocked: 1 }, seen: { workers: 0 } },
      { severity: "critical", text: "3 jobs wait, and nobody works on this queue" },
    ],
    ["whether anybody works is not known", { counts: { waiting: 2 }, seen: { workers: undefined } }, undefined],
    ["it is paused", { counts: { waiting: 2, paused: true }, seen: { workers: 0 } }, undefined],
    ["nothing waits", { counts: { scheduled: 5 }, seen: { workers: 0 } }, undefined],
  ],
  STALLED: [
    [
      "one has waited for a minute, and nothing ends",
      { counts: { waiting: 1 }, seen: { oldestWaitingMs: minute } },
      { severity: "critical", text: "The oldest job has waited for 1 minute, and nothing has ended in 5 minutes" },
    ],
    ["not that long", { counts: { waiting: 1 }, seen: { oldestWaitingMs: 59 * second } }, undefined],
    [
      "one has ended in one of the last five minutes",
      { counts: { waiting: 1 }, minutes: [{ ago: 5, completed: 1 }], seen: { oldestWaitingMs: minute } },
      undefined,
    ],
    [
      "one has ended before",
      { counts: { waiting: 1 }, minutes: [{ ago: 6, completed: 1 }], seen: { oldestWaitingMs: minute } },
      { severity: "critical" },
    ],
    ["attempts fail", { counts: { waiting: 1 }, minutes: [{ ago: 1, failed: 1 }], seen: { oldestWaitingMs: minute } }, undefined],
    ["it is paused", { counts: { waiting: 1, paused: true }, seen: { oldestWaitingMs: minute } }, undefined],
    ["its rows are away", { counts: { waiting: 1, dead: undefined }, seen: { oldestWaitingMs: minute } }, undefined],
    ["nobody works: that is said instead", { counts: { waiting: 1 }, seen: { oldestWaitingMs: minute, workers: 0 } }, undefined],
  ],
  FAILING: [
    [
      "a tenth of the attempts",
      { minutes: lately(5, { failed: 1, completed: 9 }) },
      { severity: "warning", text: "10 % of its attempts failed in the last 5 minutes" },
    ],
    ["half of them", { minutes: [{ ago: 2, failed: 5, completed: 5 }] }, { severity: "critical" }],
    ["less than a tenth", { minutes: lately(5, { failed: 1, completed: 10 }) }, undefined],
    ["fewer than five", { minutes: [{ ago: 1, failed: 4 }] }, undefined],
    ["longer ago", { minutes: [{ ago: 6, failed: 50 }] }, undefined],
    ["in the minute that has just begun", { minutes: [{ ago: 0, failed: 50 }] }, undefined],
    ["nothing is counted", { seen: { rates: undefined } }, undefined],
  ],
  LEASES_LOST: [
    [
      "some were lost",
      { total: { leasesLost: 2 } },
      { severity: "warning", text: expect.stringContaining("2 leases were lost") as string },
    ],
    ["none was", {}, undefined],
  ],
  PAUSED: [
    ["jobs wait", { counts: { paused: true, blocked: 1 } }, { severity: "warning", text: "It is paused, and 1 job waits" }],
    ["nothing waits", { counts: { paused: true } }, undefined],
  ],
  LONG_WAIT: [
    [
      "one has waited for five minutes, though others end",
      { counts: { waiting: 1 }, minutes: lately(5, { completed: 1 }), seen: { oldestWaitingMs: 5 * minute } },
      { severity: "warning", text: "The oldest job has waited for 5 minutes" },
    ],
    ["not that long", { counts: { waiting: 1 }, seen: { oldestWaitingMs: 5 * minute - 1 } }, undefined],
    ["it is paused", { counts: { waiting: 1, paused: true }, seen: { oldestWaitingMs: 5 * minute } }, undefined],
    ["nobody works", { counts: { waiting: 1 }, seen: { oldestWaitingMs: 5 * minute, workers: 0 } }, undefined],
  ],
  FALLING_BEHIND: [
    [
      "more comes than goes",
      { counts: { waiting: 100 }, minutes: lately(15, { added: 100, completed: 70, cancelled: 9 }) },
      { severity: "warning", text: "In 15 minutes 1,500 jobs were added, and 1,185 ended" },
    ],
    ["four fifths go", { counts: { waiting: 100 }, minutes: lately(15, { added: 100, completed: 70, cancelled: 9, dead: 1 }) }, undefined],
    ["few wait", { counts: { waiting: 99 }, minutes: lately(15, { added: 100 }) }, undefined],
    ["few came", { counts: { waiting: 100 }, minutes: [{ ago: 3, added: 99 }] }, undefined],
    ["its rows are away", { counts: { waiting: 100, dead: undefined }, minutes: lately(15, { added: 100 }) }, undefined],
  ],
  DEAD: [
    ["one died", { total: { dead: 1 } }, { severity: "warning", text: "1 job died in the last hour" }],
    ["none died lately, and there are dead letters", { counts: { dead: 12 } }, undefined],
  ],
};

describe.each(Object.entries(cases))("%s", (code, table) => {
  test.each(table)("%s", (_, changed, expected) => {
    const found = problemsOf(changed).filter((problem) => problem.code === code);
    if (expected === undefined) return expect(found).toEqual([]);
    expect(found).toMatchObject([expected]);
    expect(found[0]?.action).toMatch(/^[A-Z].{10}/);
  });
});

test("of a queue at which nobody has to look, and of one of which nothing is known, there is no problem", () => {
  expect(problemsOf({})).toEqual([]);
  expect(queueProblems({ counts: undefined, rates: undefined, workers: undefined, oldestWaitingMs: undefined })).toEqual([]);
});

test("what is critical comes first, else the order of the list above", () => {
  const found = problemsOf({
    counts: { waiting: 200 },
    minutes: lately(15, { added: 100, failed: 9 }),
    total: { dead: 1, leasesLost: 1 },
    seen: { oldestWaitingMs: 10 * minute },
  });
  expect(found.map(({ code }) => code)).toEqual(["FAILING", "LEASES_LOST", "LONG_WAIT", "FALLING_BEHIND", "DEAD"]);
});
