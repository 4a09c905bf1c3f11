import fc from "fast-check";
import type { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { ScheduleTable } from "../../../src/postgres/job/schedule-table.ts";
import type { JobOutlet } from "../../../src/queue/add/job-outlet.ts";
import { PlainScheduleBook } from "../../../src/queue/schedules/plain-schedule-book.ts";
import type { ScheduleBook } from "../../../src/queue/schedules/schedule-book.ts";
import { declared, ticked, tickId, withPause, type ScheduleState } from "../../../src/queue/schedules/schedule-state.ts";
import { ticksOf, type ScheduleSpec } from "../../../src/queue/schedules/schedule-times.ts";
import { TransactionalScheduleBook } from "../../../src/queue/schedules/transactional-schedule-book.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { QueueStore } from "../../../src/valkey/queue/queue-store.ts";
import { openStage, type Stage } from "../../support/stage.ts";

const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const names = ["one", "two"] as const;
const hour = 3_600_000;

let stage: Stage;
let connection: ValkeyConnection;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger, silenceMs: 5_000 });
  database = new Database(stage.databaseUrl, logger);
  await connection.ensureReady(5_000);
});
afterAll(async () => {
  connection.close();
  await database.close();
  await stage.close();
});

let queues = 0;

interface Kept {
  readonly book: ScheduleBook;
  /** The ids of all jobs that were added, oldest first. */
  jobs(): Promise<string[]>;
}

function openPlain(): Kept {
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, `book-${queues++}`));
  const jobs = async (): Promise<string[]> => {
    const elements = await stage.valkey.lrange(store.keys.waiting, 0, -1);
    return elements.toReversed().map((element) => (JSON.parse(element) as { id: string }).id);
  };
  return { book: new PlainScheduleBook(store, { queue: "book", logger }), jobs };
}

function openTransactional(): Kept {
  const queue = `book-${queues++}`;
  const store = new QueueStore(connection, new QueueKeys(stage.prefix, queue));
  const outlet = { isChecked: true, pushCommitted: () => undefined } as unknown as JobOutlet;
  const jobs = async (): Promise<string[]> => {
    const { rows } = await stage.pool.query<{ id: string }>("SELECT id FROM keyline.job WHERE queue = $1 ORDER BY seq", [queue]);
    return rows.map(({ id }) => id);
  };
  return { book: new TransactionalScheduleBook(new ScheduleTable(database, queue), { outlet, store, queue, logger }), jobs };
}

type Name = (typeof names)[number];

// What one of three processes does: it reads, and writes at some later time what follows from what it had read.
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("read" as const), who: fc.nat(2), name: fc.constantFrom(...names) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("declare" as const),
      who: fc.nat(2),
      name: fc.constantFrom(...names),
      every: fc.constantFrom(hour, 2 * hour),
      n: fc.nat(1),
      missed: fc.constantFrom("once" as const, "all" as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("tick" as const), who: fc.nat(2), name: fc.constantFrom(...names), count: fc.nat(3) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pause" as const), who: fc.nat(2), name: fc.constantFrom(...names), paused: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("run" as const), who: fc.nat(2), name: fc.constantFrom(...names) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), who: fc.nat(2), name: fc.constantFrom(...names) }) },
);

/** The state that follows when the next `count` ticks of it are made. */
function tick(state: ScheduleState, count: number): { readonly after: ScheduleState; readonly ats: readonly number[] } {
  const next = ticksOf(state.spec, state.since);
  const ats: number[] = [];
  let at = state.nextAt;
  for (; at !== undefined && ats.length < count; at = next(at)) ats.push(at);
  // As with `skip`: it goes on without a tick.
  if (count === 0 && at !== undefined) at = next(at);
  return { after: ticked(state, { ats, nextAt: at, hasMissed: false }), ats };
}

describe.each([
  ["plain", openPlain],
  ["transactional", openTransactional],
] as const)("the book of a %s queue", (kind, open) => {
  test("does what its model does, with three who act on what they read before", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { book, jobs } = open();
        const kept = new Map<Name, ScheduleState>();
        const added: string[] = [];
        const read: Partial<Record<string, ScheduleState>>[] = [{}, {}, {}];
        let now = 1_790_000_000_000;
        const isAsRead = (name: Name, before: ScheduleState | undefined): boolean => {
          const there = kept.get(name);
          return there?.revision === before?.revision && there?.nextAt === before?.nextAt;
        };
        // On a transactional queue a tick that was made meanwhile does not matter.
        const canRun = (name: Name, before: ScheduleState): boolean =>
          kind === "plain" ? isAsRead(name, before) : kept.get(name)?.revision === before.revision;
        for (const one of steps) {
          const { who, name } = one;
          const before = read[who]?.[name];
          now += 1_000;
          if (one.do === "read") {
            const { state } = await book.read(name);
            expect(state).toEqual(kept.get(name));
            (read[who] ?? {})[name] = state;
          } else if (one.do === "declare") {
            const spec: ScheduleSpec = { every: one.every, missed: one.missed };
            const after = declared(before, { name, spec, dataJson: JSON.stringify({ n: one.n }), now });
            if (after === before) continue;
            expect(await book.declare(before, after)).toBe(isAsRead(name, before));
            if (isAsRead(name, before)) kept.set(name, after);
          } else if (one.do === "pause" && before) {
            const after = withPause(before, one.paused);
            if (after === before) continue;
            expect(await book.declare(before, after)).toBe(isAsRead(name, before));
            if (isAsRead(name, before)) kept.set(name, after);
          } else if (one.do === "run" && before) {
            const id = `${name}:run-${now}`;
            expect(await book.run(before, { id, tick: { name, at: now }, now })).toBe(canRun(name, before));
            if (canRun(name, before)) added.push(id);
          } else if (one.do === "tick" && before?.nextAt !== undefined && !before.paused) {
            const { after, ats } = tick(before, one.count);
            const made = await book.tick([{ before, after, ticks: ats.map((at) => ({ name, at })) }], now);
            expect([...made]).toEqual(isAsRead(name, before) ? [name] : []);
            if (made.size === 0) continue;
            kept.set(name, after);
            for (const at of ats) {
              const id = tickId({ name, at });
              if (!added.includes(id)) added.push(id);
            }
          } else if (one.do === "remove") {
            expect(await book.remove(name)).toBe(kept.delete(name));
          }
        }
        const pages = book.pages();
        const all = [...((await pages()) ?? []), ...((await pages()) ?? [])];
        expect(all).toEqual([...kept.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)));
        // The same tick of a schedule that was declared anew is another job on a plain queue: nothing there is remembered of the first.
        expect([...new Set(await jobs())]).toEqual(added);
      }),
      { numRuns: 60 },
    );
  });

  test("notes ticks of several, of those that are as they were read, also when others do the same", async () => {
    const { book, jobs } = open();
    const { now } = await book.read("none");
    const spec: ScheduleSpec = { every: hour, missed: "all" };
    const all = Array.from({ length: 15 }, (_, index) => `s${String(index).padStart(2, "0")}`);
    for (const name of all) await book.declare(undefined, declared(undefined, { name, spec, dataJson: "1", now }));
    const read = await Promise.all(all.map(async (name) => (await book.read(name)).state));
    const plans = read.flatMap((before) => {
      if (!before) return [];
      const { after, ats } = tick(before, 2);
      return [{ before, after, ticks: ats.map((at) => ({ name: before.name, at })) }];
    });
    await book.remove("s03");
    const made = await Promise.all([book.tick(plans, now), book.tick(plans.toReversed(), now), book.tick(plans.slice(5), now)]);
    expect(made.flatMap((names) => [...names]).toSorted()).toEqual(all.filter((name) => name !== "s03"));
    const expected = plans.filter(({ before }) => before.name !== "s03").flatMap(({ ticks }) => ticks.map(tickId));
    expect((await jobs()).toSorted()).toEqual(expected.toSorted());
  });

  test("finds those that are due, and the time until another one is", async () => {
    const { book } = open();
    const { now } = await book.read("none");
    const state = (name: string, nextAt: number | undefined): ScheduleState => {
      return {
        name,
        revision: "r",
        nextAt,
        paused: false,
        lastAt: undefined,
        ticks: 0,
        since: 0,
        spec: { every: hour, missed: "once" },
        dataJson: "1",
      };
    };
    await book.declare(undefined, state("past", now - 5));
    await book.declare(undefined, state("over", undefined));
    await book.declare(undefined, { ...state("paused", now - 7), paused: true });
    await book.declare(undefined, state("soon", now + 40_000));
    await book.declare(undefined, state("later", now + hour));
    const found = await book.due();
    expect(found.due).toEqual([state("past", now - 5)]);
    expect(found.now).toBeGreaterThanOrEqual(now);
    expect(found.nextMs).toBe(now + 40_000 - found.now);
  });
});

test("a tick of which a job is there already adds no second one to a transactional queue", async () => {
  const keyline: Keyline = stage.keyline();
  const queue = keyline.queue<number>("known", { transactional: true });
  const startAt = Date.now() + hour;
  await queue.add(1, { id: `tick:${startAt}` });
  const book = new TransactionalScheduleBook(new ScheduleTable(database, "known"), {
    outlet: { pushCommitted: (jobs: readonly unknown[]) => expect(jobs).toEqual([]), isChecked: true } as unknown as JobOutlet,
    store: new QueueStore(connection, new QueueKeys(stage.prefix, "known")),
    queue: "known",
    logger,
  });
  await queue.schedule("tick", { every: hour, startAt, data: 2 });
  const { state } = await book.read("tick");
  if (!state) throw new Error("it was declared");
  const { after, ats } = tick(state, 1);
  await book.tick([{ before: state, after, ticks: ats.map((at) => ({ name: "tick", at })) }], startAt);
  const { rows } = await stage.pool.query("SELECT id, data FROM keyline.job WHERE queue = 'known'");
  expect(rows).toEqual([{ id: `tick:${startAt}`, data: 1 }]);
  expect((await book.read("tick")).state?.ticks).toBe(1);
});
