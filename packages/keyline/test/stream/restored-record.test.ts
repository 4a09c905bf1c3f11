import type { Entry } from "keyline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;

beforeEach(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});

afterEach(() => stage.close());

async function data<Data>(entries: AsyncIterable<Entry<Data>>): Promise<Data[]> {
  const taken: Data[] = [];
  for await (const entry of entries) taken.push(entry.data);
  return taken;
}

const hot = async (stream: string): Promise<(string | undefined)[]> =>
  (await stage.valkey.xrange(`${stage.prefix}:{${stream}}:events`, "-", "+")).map(([, fields]) => fields[1]);

/** What a backup from before these events would have. */
async function forget(stream: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const [ms = "", sequence = ""] = id.split("-");
    await stage.pool.query("DELETE FROM keyline.event WHERE stream = $1 AND position = ($2::bigint << 20) + $3", [stream, ms, sequence]);
  }
  await stage.pool.query(
    "UPDATE keyline.stream SET last_position = (SELECT max(position) FROM keyline.event WHERE stream = $1) WHERE name = $1",
    [stream],
  );
}

const wasTold = (): boolean => stage.log.some(({ level, message }) => level === "warn" && message.includes("restored from a backup"));

describe("events on Valkey that a restored record does not have", () => {
  test("are taken out at the next look, and what comes gets ids behind theirs", async () => {
    const before = stage.keyline();
    const ids = (await before.stream<number>("behind", { transactional: true }).appendMany([0, 1, 2, 3])).map(({ id }) => id);
    await eventually("they are on Valkey", async () => (await hot("behind")).length === 4);
    await before.close();
    // Ids that the clock has not reached, as where it was set back.
    const ahead = `${Date.now() + 3_600_000}-7`;
    const { events, state } = { events: `${stage.prefix}:{behind}:events`, state: `${stage.prefix}:{behind}:events-state` };
    await stage.valkey.multi().xadd(events, ahead, "data", "4").hset(state, { last: ahead, length: 5 }).exec();
    await forget("behind", ids.slice(2));
    const stream = stage.keyline().stream<number>("behind", { transactional: true });
    await eventually("they are gone", async () => (await hot("behind")).length === 2);
    expect(await data(stream.read())).toEqual([0, 1]);
    expect(wasTold()).toBe(true);
    expect(await stage.valkey.llen(`${stage.prefix}:{behind}:foreign`)).toBe(3);
    const { id } = await stream.append(5);
    expect(id).toBe(ahead.replace("-7", "-8"));
    await eventually("it is on Valkey", async () => (await hot("behind")).length === 3);
    expect(await hot("behind")).toEqual(["0", "1", "5"]);
    expect(await data(stream.read())).toEqual([0, 1, 5]);
  });

  test("are taken out when the first event is appended, before anybody has looked", async () => {
    const stream = stage.keyline().stream<number>("between", { transactional: true });
    const ids = (await stream.appendMany([0, 1, 2, 3])).map(({ id }) => id);
    await eventually("they are on Valkey", async () => (await hot("between")).length === 4);
    await forget("between", ids.slice(2));
    await stream.append(4);
    await eventually("they are gone", async () => (await hot("between")).join() === "0,1,4");
    expect(await data(stream.read())).toEqual([0, 1, 4]);
    expect(wasTold()).toBe(true);
  });

  test("keep no group from what the record has", async () => {
    const before = stage.keyline();
    const stream = before.stream<number>("groups", { transactional: true });
    const ids = (await stream.appendMany([0, 1, 2, 3])).map(({ id }) => id);
    const seen: number[] = [];
    const note = async ({ data: value }: Entry<number>): Promise<void> => void seen.push(value);
    const consumer = stream.consume("g", note);
    await eventually("the group has seen them", () => seen.length === 4);
    await consumer.stop();
    await before.close();
    await forget("groups", ids.slice(2));
    await stage.pool.query("UPDATE keyline.consumer_group SET floor = least(floor, (SELECT max(position) FROM keyline.event))");
    const after = stage.keyline().stream<number>("groups", { transactional: true });
    after.consume("g", note);
    await after.append(4);
    await eventually("the group has seen what was appended", () => seen.includes(4));
    await after.append(5);
    await eventually("the group goes on", () => seen.includes(5));
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("a hot window out of which somebody deleted", () => {
  test.each([
    ["the oldest", (key: string) => stage.valkey.xtrim(key, "MAXLEN", "=", 2)],
    ["everything", (key: string) => stage.valkey.xtrim(key, "MAXLEN", "=", 0)],
    ["one in the middle", async (key: string) => stage.valkey.xdel(key, (await stage.valkey.xrange(key, "-", "+"))[1]?.[0] ?? "")],
  ])("is read from the record, and filled again: %s", async (_, remove) => {
    const stream = stage.keyline().stream<number>("holes", { transactional: true });
    await stream.appendMany([0, 1, 2, 3]);
    await eventually("they are on Valkey", async () => (await hot("holes")).length === 4);
    await remove(`${stage.prefix}:{holes}:events`);
    expect(await data(stream.read())).toEqual([0, 1, 2, 3]);
    expect(await data(stream.read({ reverse: true }))).toEqual([3, 2, 1, 0]);
    const following: number[] = [];
    for await (const entry of stream.follow({ after: "-" })) if (following.push(entry.data) === 4) break;
    expect(following).toEqual([0, 1, 2, 3]);
    await eventually("it is whole again", async () => (await hot("holes")).join() === "0,1,2,3");
    expect(await data(stream.read())).toEqual([0, 1, 2, 3]);
  });
});
