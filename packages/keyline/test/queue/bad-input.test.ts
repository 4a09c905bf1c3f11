import type { Queue } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const tenYears = 315_360_000_000;
const asDelay = `delay must be milliseconds from 0 to ${tenYears} (ten years), not `;
const asTime = "runAt must be a Date or milliseconds since 1970, at most ten years from now, not ";
const asPriority = 'priority must be "high", "normal" or "low", not ';
const asKey = (option: string): string =>
  `${option} must be 1 to 200 characters without control characters, quotation marks and backslashes, not `;
const asWhole = (option: string, range: string): string => `${option} must be a whole number from ${range}, not `;
const asOneOf = (what: string, name: string, known: string): string => `${what} has no option "${name}": it knows ${known}`;
const long = "x".repeat(201);
const anything = (value: unknown): never => value as never;

/** By what is written: the call, and what its message says is allowed. */
type Refused = readonly [what: string, call: (queue: Queue<number>) => Promise<unknown>, allowed: string];

const adds: readonly Refused[] = [
  ...[-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, tenYears + 1, "5", null].map((delay): Refused => [
    `delay: ${String(delay)}`,
    (queue) => queue.add(1, { delay: anything(delay) }),
    `${asDelay}${String(delay)}`,
  ]),
  ...[-5, Number.NaN, Number.MAX_VALUE, "tomorrow", new Date(Number.NaN)].map((runAt): Refused => [
    `runAt: ${String(runAt)}`,
    (queue) => queue.add(1, { runAt: anything(runAt) }),
    `${asTime}${String(runAt)}`,
  ]),
  ["delay and runAt", (queue) => queue.add(1, { delay: 1, runAt: 1 }), "delay and runAt both say when a job is to run: give one of them"],
  ...["urgent", "", 3, null].map((priority): Refused => [
    `priority: ${JSON.stringify(priority)}`,
    (queue) => queue.add(1, { priority: anything(priority) }),
    `${asPriority}${JSON.stringify(priority)}`,
  ]),
  ...["", long, 'a"b', "a\\b", "a\nb", 7, null].flatMap((key): Refused[] => [
    [`group: ${JSON.stringify(key)}`, (queue) => queue.add(1, { group: anything(key) }), `${asKey("group")}${JSON.stringify(key)}`],
    [
      `key: ${JSON.stringify(key)}`,
      (queue) => queue.add(1, { deduplicate: { key: anything(key) } }),
      `${asKey("deduplicate.key")}${JSON.stringify(key)}`,
    ],
  ]),
  ["no key", (queue) => queue.add(1, { deduplicate: anything({ window: 5 }) }), `${asKey("deduplicate.key")}undefined`],
  ["window: 0", (queue) => queue.add(1, { deduplicate: { key: "k", window: 0 } }), `${asWhole("deduplicate.window", `1 to ${tenYears}`)}0`],
  [
    "keep: first",
    (queue) => queue.add(1, { deduplicate: { key: "k", window: 5, keep: anything("first") } }),
    'deduplicate.keep must be "latest" or left out, not "first"',
  ],
  [
    "a name within deduplicate",
    (queue) => queue.add(1, { deduplicate: anything({ key: "k", ttl: 5 }) }),
    asOneOf("deduplicate", "ttl", "key, window, keep"),
  ],
  [
    "a name",
    (queue) => queue.add(1, anything({ dealy: 5 })),
    asOneOf("add", "dealy", "id, maxAttempts, delay, runAt, priority, group, deduplicate, keepResult, tx, children, onChildDead"),
  ],
  ["one of many", (queue) => queue.addMany([{ data: 1 }, { data: 2, delay: -1 }]), `${asDelay}-1`],
];

const limits: readonly Refused[] = [
  ["limits: 5", (queue) => queue.setLimits(anything(5)), "limits takes an object of options, not 5: it knows concurrency, rate, group"],
  ["a name of limits", (queue) => queue.setLimits(anything({ speed: 1 })), asOneOf("limits", "speed", "concurrency, rate, group")],
  ...["limits", "limits.group"].flatMap((where): Refused[] => {
    const set = (queue: Queue<number>, given: object): Promise<void> => queue.setLimits(where === "limits" ? given : { group: given });
    return [
      ...[0, -1, 1.5, Number.NaN, 1_000_001, "5"].map((concurrency): Refused => [
        `${where}.concurrency: ${String(concurrency)}`,
        (queue) => set(queue, { concurrency }),
        `${asWhole(`${where}.concurrency`, "1 to 1000000")}${String(concurrency)}`,
      ]),
      [`${where}.rate: 5`, (queue) => set(queue, { rate: 5 }), `${where}.rate takes an object of options, not 5: it knows max, per`],
      [
        `a name of ${where}.rate`,
        (queue) => set(queue, { rate: { max: 1, per: 1_000, unit: "s" } }),
        asOneOf(`${where}.rate`, "unit", "max, per"),
      ],
      [`${where}.rate.max: 0`, (queue) => set(queue, { rate: { max: 0, per: 1 } }), `${asWhole(`${where}.rate.max`, "1 to 1000000000")}0`],
      [`no ${where}.rate.max`, (queue) => set(queue, { rate: { per: 1 } }), `${asWhole(`${where}.rate.max`, "1 to 1000000000")}undefined`],
      [`${where}.rate.per: 0`, (queue) => set(queue, { rate: { max: 1, per: 0 } }), `${asWhole(`${where}.rate.per`, "1 to 86400000")}0`],
      [`no ${where}.rate.per`, (queue) => set(queue, { rate: { max: 1 } }), `${asWhole(`${where}.rate.per`, "1 to 86400000")}undefined`],
    ];
  }),
  [
    "a name of limits.group",
    (queue) => queue.setLimits(anything({ group: { most: 5 } })),
    asOneOf("limits.group", "most", "concurrency, rate"),
  ],
  [
    "limits.group: 5",
    (queue) => queue.setLimits({ group: anything(5) }),
    "limits.group takes an object of options, not 5: it knows concurrency, rate",
  ],
];

const pauses = (["pause", "resume"] as const).flatMap((what): Refused[] => [
  ...["", long, 'a"b', "a\nb", 7, null].map((group): Refused => [
    `${what} of the group ${JSON.stringify(group)}`,
    (queue) => queue[what]({ group: anything(group) }),
    `${asKey("group")}${JSON.stringify(group)}`,
  ]),
  [`a name of ${what}`, (queue) => queue[what](anything({ grup: "customer-7" })), asOneOf(what, "grup", "group")],
  [`${what} of a text`, (queue) => queue[what](anything("customer-7")), `${what} takes an object of options, not a string: it knows group`],
]);

describe.each([{ transactional: false }, { transactional: true }])(
  "what may not be is refused, with what may, before anything is written (transactional: $transactional)",
  ({ transactional }) => {
    const name = `refused-${transactional}`;
    const open = (): Queue<number> => stage.keyline().queue<number>(name, { transactional } as { transactional: false });

    test.each([...adds, ...limits, ...pauses])("%s", async (_, call, allowed) => {
      const queue = open();
      await expect(call(queue)).rejects.toMatchObject({ code: "INVALID_OPTION", message: allowed });
      expect(await queue.counts()).toMatchObject({ waiting: 0, scheduled: 0, blocked: 0, paused: false });
      expect(await queue.limits()).toEqual({});
      const keys = ["gates", "paused", "keys"].map((key) => `${stage.prefix}:{${name}}:${key}`);
      expect(await stage.valkey.exists(keys)).toBe(0);
      const { rows } = await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [name]);
      expect(rows).toEqual([]);
    });
  },
);

test("what may not be of `limits` is refused by `queue` in the same words", () => {
  const make = (limits: object) => () => stage.keyline().queue("refused-at-once", { limits });
  const refusal = (message: string): unknown => expect.objectContaining({ code: "INVALID_OPTION", message });
  expect(make({ concurrency: 0 })).toThrow(refusal(`${asWhole("limits.concurrency", "1 to 1000000")}0`));
  expect(make({ group: { most: 5 } })).toThrow(refusal(asOneOf("limits.group", "most", "concurrency, rate")));
  expect(make({ rate: { max: 1, unit: "s" } })).toThrow(refusal(asOneOf("limits.rate", "unit", "max, per")));
  expect(make({ group: { rate: { unit: "s" } } })).toThrow(refusal(asOneOf("limits.group.rate", "unit", "max, per")));
});

test("a plain queue takes no tx, of one job or of many, and says what does", async () => {
  const queue = stage.keyline().queue<number>("plain");
  const tx = await stage.pool.connect();
  await tx.query("BEGIN");
  const refusal = {
    code: "NOT_TRANSACTIONAL",
    message: "Queue plain is not transactional: make it with { transactional: true } to add within a transaction",
  };
  await expect(queue.add(1, { tx } as never)).rejects.toMatchObject(refusal);
  await expect(queue.addMany([{ data: 1 }, { data: 2 }], { tx })).rejects.toMatchObject(refusal);
  // What was begun goes on, and nothing was added by it.
  await tx.query("COMMIT");
  tx.release();
  expect(await queue.counts()).toMatchObject({ waiting: 0 });
  expect(await stage.valkey.exists(`${stage.prefix}:{plain}:waiting`)).toBe(0);
  expect((await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'plain'")).rows).toEqual([]);
});
