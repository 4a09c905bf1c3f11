import { afterAll, beforeAll, expect, test } from "vitest";
import { collected } from "../../support/collected.ts";
import { eventually, gate, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE effects (stream text, n integer)");
});

afterAll(() => stage.close());

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

const effects = async (stream: string): Promise<number[]> =>
  (await stage.pool.query<{ n: number }>("SELECT n FROM effects WHERE stream = $1 ORDER BY n", [stream])).rows.map(({ n }) => n);

test("a group whose row is gone, as after a restore, goes on settling and burying", async () => {
  const stream = stage.keyline().stream<number>("rowless", { transactional: true });
  const consumer = stream.consume(
    "g",
    async (entry, { settle }) => {
      if (entry.data === 3) throw new Error("three");
      await settle(async (tx) => void (await tx.query("INSERT INTO effects VALUES ('rowless', $1)", [entry.data])));
    },
    { maxAttempts: 1 },
  );
  await stream.append(0);
  await eventually("it works", async () => (await effects("rowless")).length === 1);
  await stage.pool.query("DELETE FROM keyline.consumer_group WHERE stream = 'rowless'");
  await stream.appendMany([1, 2, 3, 4]);
  await eventually("all took effect", async () => (await effects("rowless")).length === 4);
  expect(await effects("rowless")).toEqual([0, 1, 2, 4]);
  await eventually("the dead letter is there", async () => (await collected(stream.group("g").deadLetters())).length === 1);
  await consumer.stop();
});

test("an entry that takes long keeps a group from nothing else while it catches up", async () => {
  const stream = stage.keyline().stream<number>("long", { transactional: true, retention: { maxLength: 10 } });
  await stream.appendMany(upTo(5_000));
  await eventually("most of it is in the record only", async () => (await stage.valkey.xlen(`${stage.prefix}:{long}:events`)) === 10);
  const release = gate();
  const done = new Set<number>();
  const consumer = stream.consume(
    "g",
    async (entry) => {
      if (entry.data === 0) await release.opened;
      done.add(entry.data);
    },
    { concurrency: 50 },
  );
  await eventually("everything else is done", () => done.size === 4_999, 40_000);
  release.open();
  await eventually("and that", () => done.size === 5_000);
  await consumer.stop();
});

test("a promise of another kind whose then throws is a failed attempt", async () => {
  const stream = stage.keyline().stream<number>("thenable");
  let calls = 0;
  const consumer = stream.consume(
    "g",
    () => {
      calls++;
      return {
        // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
        then: () => {
          throw new Error("no promise");
        },
      };
    },
    { maxAttempts: 1, concurrency: 4 },
  );
  await stream.appendMany(upTo(8));
  await eventually("each was tried", () => calls === 8);
  await consumer.stop();
  expect(await collected(stream.group("g").deadLetters())).toHaveLength(8);
});
