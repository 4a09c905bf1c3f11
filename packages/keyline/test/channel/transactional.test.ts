import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const outboxIsEmpty = async (): Promise<boolean> => (await stage.pool.query("SELECT FROM keyline.message")).rows.length === 0;

describe("publishing within a transaction", () => {
  test("goes out after the commit, in the order of the transaction, and once", async () => {
    const keyline = stage.keyline();
    const posts = keyline.channel<number>("posts", { history: {} });
    const got: number[] = [];
    const subscription = posts.subscribe((message) => void got.push(message.data));
    await subscription.ready;
    await keyline.transaction(async (tx) => {
      for (let number = 0; number < 5; number++) await posts.publish(number, { tx });
      expect(got).toEqual([]);
    });
    await eventually("they came", () => got.length === 5);
    expect(got).toEqual([0, 1, 2, 3, 4]);
    await eventually("the outbox is empty", outboxIsEmpty);
    await subscription.close();
  });

  test("never goes out when the transaction, or the part of it, is rolled back", async () => {
    const keyline = stage.keyline();
    const posts = keyline.channel<string>("rolled-back");
    const got: string[] = [];
    const subscription = posts.subscribe((message) => void got.push(message.data));
    await subscription.ready;
    await expect(
      keyline.transaction(async (tx) => {
        await posts.publish("lost", { tx });
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    await keyline.transaction(async (tx) => {
      await posts.publish("before", { tx });
      await tx.query("SAVEPOINT here");
      await posts.publish("undone", { tx });
      await tx.query("ROLLBACK TO SAVEPOINT here");
      await posts.publish("after", { tx });
    });
    await eventually("the rest came", () => got.length === 2);
    await eventually("the outbox is empty", outboxIsEmpty);
    expect(got).toEqual(["before", "after"]);
    await subscription.close();
  });

  test("takes any client inside a transaction, and refuses one that is in none", async () => {
    const keyline = stage.keyline();
    const posts = keyline.channel<string>("foreign");
    const subscription = posts.subscribe();
    await subscription.ready;
    const client = new pg.Client({ connectionString: stage.databaseUrl });
    await client.connect();
    // @ts-expect-error: a pool is no transaction
    await expect(posts.publish("no", { tx: stage.pool })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
    await client.query("BEGIN");
    await posts.publish("yes", { tx: client });
    await client.query("COMMIT");
    const { value } = await subscription[Symbol.asyncIterator]().next();
    expect(value.data).toBe("yes");
    await client.end();
    await subscription.close();
  });

  test("what a producer that died has committed is published by the next one that starts", async () => {
    const { rows } = await stage.pool.query<{ id: string }>(
      "INSERT INTO keyline.message (channel, id, data, history_size, history_ttl) SELECT 'orphan', 'o' || n, n::text, 100, 60000 FROM generate_series(1, 500) AS n RETURNING id",
    );
    const keyline = stage.keyline();
    const orphan = keyline.channel<number>("orphan", { history: { size: 1_000 } });
    await eventually("the outbox is empty", outboxIsEmpty);
    const { messages } = await orphan.history({ limit: 1_000 });
    expect(messages.map((message) => message.id)).toEqual(rows.slice(-100).map((row) => row.id));
  });

  test("several relays at once, and one that deletes nothing, publish each message once and in order", async () => {
    const keylines = [stage.keyline(), stage.keyline(), stage.keyline()];
    const channels = keylines.map((keyline) => keyline.channel<number>("relays", { history: { size: 10_000 } }));
    // Rows come back once, as if their relay had died between publishing and deleting.
    await stage.pool.query(`
      CREATE TABLE resurrected (seq bigint PRIMARY KEY);
      CREATE FUNCTION resurrect() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF OLD.channel = 'relays' AND OLD.seq % 7 = 0 AND NOT EXISTS (SELECT FROM resurrected WHERE seq = OLD.seq) THEN
          INSERT INTO resurrected VALUES (OLD.seq);
          RETURN NULL;
        END IF;
        RETURN OLD;
      END $$;
      CREATE TRIGGER resurrect BEFORE DELETE ON keyline.message FOR EACH ROW EXECUTE FUNCTION resurrect();
    `);
    const ids: string[] = [];
    await Promise.all(
      keylines.map(async (keyline, index) => {
        for (let number = 0; number < 200; number++) {
          await keyline.transaction(async (tx) => {
            const { id } = (await channels[index]?.publish(index * 1_000 + number, { tx })) ?? { id: "" };
            ids.push(id);
          });
        }
      }),
    );
    await eventually("the outbox is empty", outboxIsEmpty);
    const { rows } = await stage.pool.query("SELECT FROM resurrected");
    expect(rows.length).toBeGreaterThan(50);
    const read = await channels[0]?.history({ limit: 10_000 });
    const messages = read?.messages ?? [];
    expect(messages.map((message) => message.id).sort()).toEqual(ids.sort());
    // Those of one publisher were committed one after another.
    for (const publisher of [0, 1, 2]) {
      const own = messages.map((message) => message.data).filter((data) => Math.floor(data / 1_000) === publisher);
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
  });
});

describe("the outbox", () => {
  test("keeps a message until Valkey has published it", async () => {
    const keyline = stage.keyline();
    const posts = keyline.channel<string>("refused", { history: {} });
    const state = `${stage.prefix}:{refused}:history-state`;
    // The script fails on a key of another type.
    await stage.valkey.set(state, "in the way");
    await keyline.transaction((tx) => posts.publish("kept back", { tx }));
    await eventually("the relay has tried", () => stage.log.some((line) => line.message.includes("could not be published yet")));
    const { rows } = await stage.pool.query("SELECT FROM keyline.message WHERE channel = 'refused'");
    expect(rows).toHaveLength(1);
    await stage.valkey.del(state);
    await eventually("it was published", async () => (await posts.history()).messages.length === 1);
  });

  test("one channel that cannot be published to keeps no other", async () => {
    const keyline = stage.keyline();
    const stuck = keyline.channel<number>("stuck", { history: {} });
    const free = keyline.channel<number>("free", { history: {} });
    const state = `${stage.prefix}:{stuck}:history-state`;
    await stage.valkey.set(state, "in the way");
    await stage.pool.query(
      "INSERT INTO keyline.message (channel, id, data, history_size, history_ttl) SELECT 'stuck', 's' || n, n::text, 5000, 600000 FROM generate_series(1, 2500) AS n",
    );
    await keyline.transaction((tx) => free.publish(1, { tx }));
    await eventually("the other channel's message is out", async () => (await free.history()).messages.length === 1);
    await stage.valkey.del(state);
    await eventually("all of it is out, in order", async () => (await stuck.history({ limit: 5_000 })).messages.length === 2_500, 40_000);
    const { messages } = await stuck.history({ limit: 5_000 });
    expect(messages.map((message) => message.data)).toEqual(Array.from({ length: 2_500 }, (_, index) => index + 1));
  }, 90_000);
});
