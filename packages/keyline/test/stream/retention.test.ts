import type { StreamGap } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startValkey } from "@keyline/embedded";
import { collected } from "../support/collected.ts";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterAll(() => stage.close());

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

async function all(entries: AsyncIterable<{ readonly data: number }>): Promise<number[]> {
  const taken: number[] = [];
  for await (const { data } of entries) taken.push(data);
  return taken;
}

const length = (stream: string): Promise<number> => stage.valkey.xlen(`${stage.prefix}:{${stream}}:events`);

describe("retention of a plain stream", () => {
  test("keeps so many entries, and none that are older", async () => {
    const byLength = stage.keyline().stream<number>("by-length", { retention: { maxLength: 100 } });
    await byLength.appendMany(upTo(1_000));
    await eventually("it is trimmed", async () => (await length("by-length")) === 100);
    expect(await all(byLength.read())).toEqual(upTo(1_000).slice(900));
    const key = `${stage.prefix}:{by-age}:events`;
    await stage.valkey.xadd(key, "1-0", "data", "1");
    const byAge = stage.keyline().stream<number>("by-age", { retention: { maxAge: 3_600_000, maxLength: 10 } });
    await byAge.append(2);
    await eventually("it is trimmed", async () => (await length("by-age")) === 1);
    expect(await all(byAge.read())).toEqual([2]);
  });

  test("keeps what a group has not finished, until the group was not seen for long", async () => {
    const key = `${stage.prefix}:{pinned}:events`;
    const stream = stage.keyline().stream<number>("pinned", { retention: { maxLength: 10, groupTimeout: 2_000 } });
    await stream.append(0);
    await stage.valkey.xgroup("CREATE", key, "slow", "0");
    await stream.appendMany(upTo(100));
    await stage.valkey.call("XREADGROUP", "GROUP", "slow", "c", "COUNT", "60", "STREAMS", key, ">");
    const ids = (await stage.valkey.xrange(key, "-", "+")).map(([id]) => id);
    await stage.valkey.xack(key, "slow", ...ids.slice(0, 30), ...ids.slice(31, 60));
    await stream.append(100);
    await eventually("what it finished is gone", async () => (await length("pinned")) === 102 - 30);
    expect((await stage.valkey.xrange(key, "-", "+"))[0]?.[0]).toBe(ids[30]);
    await eventually("it was not seen for so long", async () => {
      await stream.append(101);
      return (await length("pinned")) <= 12;
    });
    const state = await stage.valkey.hgetall(`${stage.prefix}:{pinned}:group:slow:state`);
    expect(Number(state["lost"])).toBeGreaterThanOrEqual(41);
    const [group] = (await stage.valkey.xinfo("GROUPS", key)) as (string | number)[][];
    // It stands in front of what is left, and how much that is, is known.
    expect(group?.slice(-1)[0]).toBe(await length("pinned"));
  });

  test("drops it at once where a hard limit says so", async () => {
    const key = `${stage.prefix}:{hard}:events`;
    const stream = stage.keyline().stream<number>("hard", { retention: { maxLength: 10, hard: { maxLength: 20 } } });
    await stream.append(0);
    await stage.valkey.xgroup("CREATE", key, "slow", "0");
    await stream.appendMany(upTo(100));
    await eventually("it is trimmed", async () => (await length("hard")) === 20);
    expect((await stage.valkey.hgetall(`${stage.prefix}:{hard}:group:slow:state`))["lost"]).toBe("81");
  });
});

describe("retention of a record", () => {
  test("drops weeks that nobody needs, and tells readers", async () => {
    // As if they had been appended three, four and five weeks ago.
    const weeks = [3, 4, 5].map((ago) => Date.now() - ago * 7 * 86_400_000);
    for (const ms of weeks) await stage.pool.query("SELECT keyline.ensure_event_week(to_timestamp($1 / 1000.0))", [ms]);
    const insert = "INSERT INTO keyline.event (stream, position, data) VALUES ($1, $2::bigint << 20, $3)";
    for (const ms of weeks) await stage.pool.query(insert, ["record-short", ms, "0"]);
    await stage.pool.query(insert, ["record-kept", weeks[1], "0"]);
    await stage.pool.query(
      "INSERT INTO keyline.stream (name, last_position) SELECT stream, max(position) FROM keyline.event GROUP BY stream",
    );
    // Somebody reads at the moment: the weeks stay for the next time.
    const reader = await stage.pool.connect();
    await reader.query("BEGIN; SELECT count(*) FROM keyline.event");
    const keyline = stage.keyline();
    // One group has finished the oldest event, another one the next, above its floor; both come back later.
    for (const [name, floor] of [
      ["oldest", weeks[2]],
      ["none", 0],
    ] as const) {
      const begin = "INSERT INTO keyline.consumer_group (stream, name, floor) VALUES ('record-short', $1, $2::bigint << 20)";
      await stage.pool.query(begin, [name, floor]);
    }
    const settled = "INSERT INTO keyline.settled_event (stream, group_name, position) VALUES ('record-short', 'none', $1::bigint << 20)";
    await stage.pool.query(settled, [weeks[1]]);
    // A dead letter that was to be handed out again, and was not yet.
    const letter = `INSERT INTO keyline.settled_event (stream, group_name, position, dead_reason, redriven)
      VALUES ('record-short', 'oldest', $1::bigint << 20, 'Error: never', true)`;
    await stage.pool.query(letter, [weeks[2]]);
    const kept = keyline.stream<number>("record-kept", { transactional: true });
    const short = keyline.stream<number>("record-short", { transactional: true, retention: { recordMaxAge: 86_400_000 } });
    await Promise.all([kept.append(1), short.append(1)]);
    await eventually("its duty has set how long it keeps", async () => {
      const { rows } = await stage.pool.query("SELECT max_age FROM keyline.stream WHERE name = 'record-short'");
      return (rows as { max_age: string | null }[])[0]?.max_age === "86400000";
    });
    const partitions = async (): Promise<number> => {
      const { rows } = await stage.pool.query("SELECT FROM pg_inherits WHERE inhparent = 'keyline.event'::regclass");
      return rows.length;
    };
    const before = await partitions();
    expect((await stage.pool.query("SELECT keyline.drop_expired_events(100) AS more")).rows).toEqual([{ more: null }]);
    expect(await partitions()).toBe(before);
    await reader.query("COMMIT");
    reader.release();
    await eventually("the weeks are gone, and the events in the one that is shared", async () => {
      const { rows } = await stage.pool.query("SELECT keyline.drop_expired_events(100) AS more");
      return (rows as { more: boolean | null }[])[0]?.more === false && (await partitions()) === before - 2;
    });
    await eventually("Valkey has dropped it too", async () => (await length("record-short")) === 1);
    expect(await all(short.read())).toEqual([1]);
    expect(await all(kept.read())).toEqual([0, 1]);
    const gaps: StreamGap[] = [];
    for await (const { data } of short.follow({ after: `${weeks[2]}-0`, onGap: (gap) => gaps.push(gap) })) {
      expect(data).toBe(1);
      break;
    }
    expect(gaps).toMatchObject([{ reason: "trimmed", after: `${weeks[2]}-0`, until: `${weeks[0]}-0` }]);
    // Who has read the last event that was dropped misses nothing.
    for await (const { data } of short.follow({ after: `${weeks[0]}-0`, onGap: (gap) => gaps.push(gap) })) {
      expect(data).toBe(1);
      break;
    }
    expect(gaps).toHaveLength(1);
    for (const [name, from, entries] of [
      ["oldest", weeks[1], 2],
      ["none", weeks[2], 2],
    ] as const) {
      const losses: unknown[] = [];
      const ran: number[] = [];
      const consumer = short.consume(name, ({ data }) => void ran.push(data));
      consumer.on("lost", (loss) => losses.push(loss));
      await eventually("it is told what it lost", () => losses.length > 0);
      expect(losses).toEqual([{ from: `${from}-0`, to: `${weeks[0]}-0`, entries }]);
      expect((await short.group(name).status()).lost).toBe(entries);
      await eventually("it reads what is left", () => ran.length === 1);
      await consumer.stop();
    }
    const letters = await collected(short.group("oldest").deadLetters());
    expect(letters).toMatchObject([{ id: `${weeks[2]}-0`, reason: "Error: never", data: undefined }]);
  });

  test("trims what Valkey holds of it also where memory has run out, with a group that is behind", async () => {
    const valkey = await startValkey();
    const own = await openStage({ valkeyUrl: valkey.url });
    try {
      const long = own.keyline();
      await long.migrate();
      await long.stream<number>("full", { transactional: true }).appendMany(upTo(100));
      const key = `${own.prefix}:{full}:events`;
      await eventually("it is on Valkey", async () => (await own.valkey.xlen(key)) === 100);
      await long.close();
      await own.valkey.xgroup("CREATE", key, "slow", "0");
      await own.valkey.config("SET", "maxmemory", "1");
      own.keyline().stream<number>("full", { transactional: true, retention: { maxLength: 10 } });
      await eventually("it is trimmed", async () => (await own.valkey.xlen(key)) === 10);
      await own.valkey.config("SET", "maxmemory", "0");
    } finally {
      await own.close();
      await valkey.stop();
    }
  });
});
