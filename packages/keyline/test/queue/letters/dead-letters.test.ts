import { Discard, type DeadLetter } from "keyline";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "../../../src/postgres/client/database.ts";
import { DeadTable } from "../../../src/postgres/job/dead-table.ts";
import { DeadLetterReading } from "../../../src/queue/letters/dead-letter-reading.ts";
import { checkDeadLettersOptions } from "../../../src/queue/letters/letter-filter.ts";
import type { LetterShelf } from "../../../src/queue/letters/letter-shelf.ts";
import { LettersInRows } from "../../../src/queue/letters/letters-in-rows.ts";
import { LettersOnValkey } from "../../../src/queue/letters/letters-on-valkey.ts";
import { silentLogger as logger } from "../../../src/runtime/logger.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { QueueKeys } from "../../../src/valkey/queue/keys.ts";
import { Letters } from "../../../src/valkey/queue/letters.ts";
import { openEither } from "../../support/either-queue.ts";
import { lettersOf } from "../../support/letters.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { ill, openWard, type Ill } from "../../support/ward.ts";

let stage: Stage;
let connection: ValkeyConnection;
let database: Database;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  connection = new ValkeyConnection(toTarget(stage.valkeyUrl), { logger, silenceMs: 5_000 });
  database = new Database(stage.databaseUrl, logger);
});
afterAll(async () => {
  connection.close();
  await database.close();
  await stage.close();
});

const shelfOf = (queue: string, transactional: boolean): LetterShelf =>
  transactional
    ? new LettersInRows(new DeadTable(database, queue), { pushCommitted: () => undefined })
    : new LettersOnValkey(new Letters(connection, new QueueKeys(stage.prefix, queue)));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const numbersOf = (letters: readonly DeadLetter[]): number[] => letters.map(({ data }) => (data as Ill).n);

describe.each([false, true])("the dead letters of a queue (transactional: %s)", (transactional) => {
  test("come newest first, by error, by time, and up to a limit", async () => {
    const ward = openWard(stage, { transactional });
    await ward.die([ill(0, "connect ETIMEDOUT"), ill(1, "Timeout of 5 s"), ill(2, "no such user"), ill(3, "timeout")]);
    await ward.close();
    const { queue } = ward;
    const all = await lettersOf(queue);
    expect(numbersOf(all)).toEqual([3, 2, 1, 0]);
    expect(numbersOf(await lettersOf(queue, { error: /timeout/gi }))).toEqual([3, 1]);
    expect(numbersOf(await lettersOf(queue, { error: "imeo" }))).toEqual([3, 1]);
    expect(numbersOf(await lettersOf(queue, { error: "Discard: no" }))).toEqual([2]);
    expect(numbersOf(await lettersOf(queue, { limit: 2 }))).toEqual([3, 2]);
    expect(numbersOf(await lettersOf(queue, { ids: ["job-1", "nobody", "job-2", "job-1"] }))).toEqual([2, 1]);
    expect(numbersOf(await lettersOf(queue, { ids: [] }))).toEqual([]);
    const [, , , { at } = { at: 0 }] = all;
    const newest = all[0]?.at ?? 0;
    expect(numbersOf(await lettersOf(queue, { after: at, before: newest + 1 }))).toEqual([3, 2, 1, 0]);
    expect(numbersOf(await lettersOf(queue, { before: new Date(at) }))).toEqual([]);
    expect(await lettersOf(queue, { before: at + 60_000, after: newest + 1 })).toEqual([]);
    expect((await lettersOf(queue, { before: newest })).every((letter) => letter.at < newest)).toBe(true);
  });

  test("are read page by page while others come and go: nothing twice, and nothing is missed that was there all the time", async () => {
    const letters = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 12 });
    const event = fc.record({
      read: fc.nat(3),
      die: fc.array(fc.constantFrom("a", "b"), { maxLength: 2 }),
      act: fc.constantFrom("redrive", "discard", "none"),
      on: fc.array(fc.nat(14), { minLength: 1, maxLength: 3 }),
    });
    const filter = fc.constantFrom({}, { error: "Discard: a" }, { error: /^Discard: b$/ });
    await fc.assert(
      fc.asyncProperty(letters, fc.array(event, { maxLength: 5 }), filter, async (errors, events, options) => {
        const ward = openWard(stage, { transactional });
        const { queue } = ward;
        let next = 0;
        const dieOf = (error: string): Ill => ill(next++, error);
        await ward.die(errors.map(dieOf));
        const fits = ({ error }: Ill): boolean => options.error === undefined || error === (typeof options.error === "string" ? "a" : "b");
        const untouched = new Set(upTo(errors.length));
        // Pages so small that nearly every step begins one.
        const reading = new DeadLetterReading([shelfOf(queue.name, transactional)], checkDeadLettersOptions(options), {
          heads: 2,
          letters: 1,
        });
        const seen: Ill[] = [];
        const read = async (): Promise<boolean> => {
          const letters = await reading.next(new AbortController().signal);
          for (const { data } of letters ?? []) seen.push(data as Ill);
          return letters !== undefined;
        };
        for (const { read: count, die, act, on } of events) {
          for (let index = 0; index < count; index++) await read();
          await ward.die(die.map(dieOf));
          if (act === "none") continue;
          for (const n of on) untouched.delete(n);
          const before = ward.deaths();
          const acted = await queue[act]({ ids: on.map((n) => `job-${n}`) });
          if (act === "redrive") await eventually("they are dead again", () => ward.deaths() === before + acted);
        }
        while (await read());
        await ward.close();
        const numbers = seen.map(({ n }) => n);
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(seen.every(fits)).toBe(true);
        const there = upTo(errors.length).filter((n) => untouched.has(n) && fits(ill(n, errors[n])));
        expect(numbers.filter((n) => there.includes(n))).toEqual(there.toReversed());
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  test("are read past pages of which none fits, and a reading that is left reads no more", async () => {
    const queue = openEither<Ill>(stage.keyline(), `pages-${transactional}`, { transactional });
    const worker = queue.work(
      (job) => {
        throw new Discard(job.data.error);
      },
      { concurrency: 100 },
    );
    await queue.addMany(upTo(1_300).map((n) => ({ data: ill(n, n % 1_000 === 7 ? "odd" : "no") })));
    await eventually("all are dead", async () => (await queue.counts()).dead === 1_300, 60_000);
    await worker.stop();
    expect(numbersOf(await lettersOf(queue, { error: "odd" })).toSorted((one, other) => one - other)).toEqual([7, 1_007]);
    const all = await lettersOf(queue);
    expect(new Set(numbersOf(all)).size).toBe(1_300);
    expect(all.map(({ at }) => at)).toEqual(all.map(({ at }) => at).toSorted((one, other) => other - one));
    for await (const letter of queue.deadLetters()) {
      expect(letter.id).toBe(all[0]?.id);
      break;
    }
  }, 90_000);
});

test("letters of elements that are no job have an id of their own, also among the rows of a transactional queue", async () => {
  const ward = openWard(stage, { transactional: true });
  const { queue } = ward;
  await ward.die([ill(0)]);
  await stage.valkey.lpush(`${stage.prefix}:{${queue.name}}:waiting`, "junk\n1");
  await eventually("it is dead", () => ward.deaths() === 2);
  await ward.die([ill(1)]);
  await ward.close();
  const letters = await lettersOf(queue);
  expect(letters.map(({ data }) => data)).toEqual([ill(1), "junk\n1", ill(0)]);
  const id = letters[1]?.id ?? "";
  expect(id).toMatch(/^unreadable-\d+$/);
  expect((await lettersOf(queue, { ids: [id] })).map(({ reason }) => reason)).toEqual([
    expect.stringMatching(/^INVALID_ELEMENT: The element is not valid/) as string,
  ]);
  expect(await queue.discard({ ids: [id] })).toBe(1);
  expect(numbersOf(await lettersOf(queue))).toEqual([1, 0]);
});

test("the newest is the one that died last, also when the server's clock was set back", async () => {
  const ward = openWard(stage, { transactional: false });
  const { queue } = ward;
  const dead = `${stage.prefix}:{${queue.name}}:dead`;
  await ward.die([ill(0)]);
  // As if it had died an hour from now.
  const place = (Date.now() + 3_600_000) * 1_000;
  await stage.valkey.zadd(dead, place, `later\u001f${place}`);
  await stage.valkey.hset(`${dead}:job`, `later\u001f${place}`, "\njunk");
  await ward.die([ill(1), ill(2)]);
  await ward.close();
  expect((await lettersOf(queue)).map(({ id }) => id)).toEqual(["job-2", "job-1", "later", "job-0"]);
});

test("all letters of an id are found, however many it has", async () => {
  const ward = openWard(stage, { transactional: false });
  for (let n = 0; n < 5; n++) await ward.die([ill(0), ill(1)]);
  await ward.die([ill(10)]);
  await ward.close();
  const letters = new Letters(connection, new QueueKeys(stage.prefix, ward.queue.name));
  for (const limit of [1, 2, 3, 5, 10, 11, 500]) {
    const found = await letters.of(["job-0", "nobody", "job-1"], limit);
    expect(found.map(({ key }) => key.split("\u001f")[0])).toEqual([...Array<string>(5).fill("job-0"), ...Array<string>(5).fill("job-1")]);
  }
  expect(await ward.queue.discard({ ids: ["job-1"] })).toBe(5);
  expect((await lettersOf(ward.queue)).map(({ id }) => id)).toEqual(["job-10", ...Array<string>(5).fill("job-0")]);
});

test.each([false, true])(
  "letters come by their group, whose jobs run in their order when they are redriven (transactional: %s)",
  async (transactional) => {
    const queue = openEither<number>(stage.keyline(), `grouped-${transactional}`, { transactional });
    let isFixed = false;
    const ran: number[] = [];
    const work = (): { stop(): Promise<void> } =>
      queue.work(
        (job) => {
          if (!isFixed) throw new Discard("no");
          ran.push(job.data);
        },
        { concurrency: 10 },
      );
    const first = work();
    for (const n of upTo(6)) {
      await queue.add(n, { group: n % 2 === 0 ? "even" : "odd" });
      await eventually("it is dead", async () => (await queue.counts()).dead === n + 1);
    }
    await first.stop();
    expect((await lettersOf(queue, { group: "even" })).map(({ data, group }) => [data, group])).toEqual([4, 2, 0].map((n) => [n, "even"]));
    expect(await queue.redrive({ group: "even" })).toBe(3);
    expect(await queue.discard({ group: "even" })).toBe(0);
    isFixed = true;
    const second = work();
    await eventually("all ran", () => ran.length === 3);
    await second.stop();
    expect(ran).toEqual([0, 2, 4]);
    expect(await queue.counts()).toMatchObject({ waiting: 0, blocked: 0, dead: 3 });
  },
);
