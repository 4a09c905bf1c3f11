import type { GroupStatus, StreamRates } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import type { Problem } from "../../src/api/basics.ts";
import { streamProblems } from "../../src/stream/stream-problems.ts";

let stage: Stage;
/** As they are of a group that has read all, with a consumer. */
let group: GroupStatus;
let rates: StreamRates;
beforeAll(async () => {
  stage = await openStage();
  const stream = stage.keyline().stream<number>("idle");
  const consumer = stream.consume("readers", () => undefined);
  await eventually("it consumes", async () => (await stream.groups())[0]?.consumers === 1);
  group = (await stream.groups())[0] as GroupStatus;
  rates = await stream.rates({ minutes: 60 });
  await consumer.stop();
});
afterAll(() => stage.close());

const now = 1_800_000_000_000;
const minute = 60_000;

test.each<[when: string, changed: Partial<GroupStatus>, found: Partial<Problem>[]]>([
  ["it has read all", {}, []],
  ["it is behind and has a consumer", { lag: 1_000 }, []],
  ["nobody consumes, and there is nothing", { consumers: 0 }, []],
  [
    "nobody consumes, and some are to come or in hand",
    { consumers: 0, lag: 2, pending: 1 },
    [{ code: "NO_CONSUMER", severity: "critical", text: "Group readers has 3 entries before it, and no consumer" }],
  ],
  ["one is in hand for less than five minutes", { pending: 1, oldestPendingAt: now - 5 * minute + 1 }, []],
  [
    "one is in hand for five minutes",
    { pending: 1, oldestPendingAt: now - 5 * minute },
    [
      {
        code: "GROUP_BEHIND",
        severity: "warning",
        text: "The oldest entry that group readers has not finished was appended 5 minutes ago",
      },
    ],
  ],
  [
    "the same, and nobody consumes: that is said alone",
    { consumers: 0, pending: 1, oldestPendingAt: now - 5 * minute },
    [{ code: "NO_CONSUMER" }],
  ],
  ["some were given up", { dead: 1 }, [{ code: "GROUP_DEAD", severity: "warning", text: "Group readers has given up 1 entry" }]],
])("%s", (_, changed, found) => {
  const problems = streamProblems([{ ...group, ...changed }], rates, now);
  expect(problems).toMatchObject(found);
  for (const { action } of problems) expect(action).toMatch(/^[A-Z].{10}/);
});

test("what is critical comes first, of whichever group, and lost leases are of the stream", () => {
  const groups = [
    { ...group, name: "first", dead: 1 },
    { ...group, name: "second", consumers: 0, lag: 1 },
  ];
  const problems = streamProblems(groups, { ...rates, total: { ...rates.total, leasesLost: 1 } }, now);
  expect(problems.map(({ code, text }) => [code, text])).toEqual([
    ["NO_CONSUMER", expect.stringContaining("second")],
    ["GROUP_DEAD", expect.stringContaining("first")],
    ["LEASES_LOST", expect.stringContaining("1 lease was lost")],
  ]);
});

test("of what nothing is known nothing is said", () => {
  expect(streamProblems(undefined, undefined, now)).toEqual([]);
});
