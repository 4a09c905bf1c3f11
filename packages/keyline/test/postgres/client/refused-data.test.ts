import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { collected } from "../../support/collected.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";
import { lettersOf } from "../../support/letters.ts";

let stage: Stage;
let latin: { readonly url: string; readonly pool: pg.Pool };
beforeAll(async () => {
  stage = await openStage();
  const name = `${stage.prefix}_latin`;
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  await client.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`);
  await client.end();
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${name}`;
  latin = { url: url.href, pool: new pg.Pool({ connectionString: url.href }) };
  await stage.keyline({ postgres: latin.url }).migrate();
});
afterAll(async () => {
  await stage.close();
  await latin.pool.end();
});

const fails = { code: "NOT_STORABLE", cause: { code: "22P05" } };

test("an add that the database cannot store takes none of its moment down, and says which field it is", async () => {
  const keyline = stage.keyline({ postgres: latin.url });
  const queue = keyline.queue<string>("latin", { transactional: true });
  const texts = Array.from({ length: 50 }, (_, n) => (n % 20 === 7 ? `n${n} 😀` : `n${n} é`));
  const ended = await Promise.allSettled(texts.map((text, n) => queue.add(text, n % 2 === 0 ? { id: `id-${n}` } : {})));
  for (const [n, one] of ended.entries()) {
    if (n % 20 === 7) expect(one).toMatchObject({ status: "rejected", reason: fails });
    else expect(one).toMatchObject({ status: "fulfilled", value: { added: true } });
  }
  await expect(queue.add("😀")).rejects.toThrow("the data for queue latin");
  const schedule = queue.schedule("smile", { every: 60_000, data: "😀" });
  await expect(schedule).rejects.toMatchObject({ ...fails, message: expect.stringContaining("schedule smile of queue latin") as string });
  const { rows } = await latin.pool.query<{ data: string }>("SELECT data FROM keyline.job WHERE queue = 'latin' ORDER BY seq");
  expect(rows.map(({ data }) => data)).toEqual(texts.filter((text) => !text.includes("😀")));
  await expect(keyline.transaction((tx) => queue.add("😀", { tx }))).rejects.toMatchObject(fails);
  await keyline.close();
});

test("a signal that the database cannot store is not sent, and says so", async () => {
  const keyline = stage.keyline({ postgres: latin.url });
  const queue = keyline.queue<string>("signals", { transactional: true });
  const { id } = await queue.add("waits");
  const sent = queue.signal(id, "approved", "😀");
  await expect(sent).rejects.toMatchObject({
    ...fails,
    message: expect.stringContaining(`the data for signal "approved" to job ${id}`) as string,
  });
  expect(await queue.signal(id, "approved", "é")).toBe(true);
  await keyline.close();
});

test("data that is nested too deeply for PostgreSQL takes no neighbour down", async () => {
  await stage.keyline().migrate();
  await stage.pool.query("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET max_stack_depth = ''100kB''', current_database()); END $$");
  const keyline = stage.keyline();
  const queue = keyline.queue("deep", { transactional: true });
  let deep: unknown = 1;
  for (let depth = 0; depth < 3_000; depth++) deep = [deep];
  const [one, two, three] = await Promise.allSettled([queue.add("a"), queue.add(deep), queue.add("b")]);
  expect(one.status).toBe("fulfilled");
  expect(two).toMatchObject({ reason: { code: "NOT_STORABLE", cause: { code: "54001" } } });
  expect(three.status).toBe("fulfilled");
  await keyline.close();
});

test("an event, a key and a message that cannot be stored are told, and their neighbours are there", async () => {
  const keyline = stage.keyline({ postgres: latin.url });
  const stream = keyline.stream<{ text: string; of: string }>("latin", { transactional: true, key: ({ of }) => of });
  const [good, badKey, badData, many, last] = await Promise.allSettled([
    stream.append({ text: "a", of: "x" }),
    stream.append({ text: "b", of: "😀" }),
    stream.append({ text: "c😀", of: "x" }),
    stream.appendMany([
      { text: "d", of: "x" },
      { text: "e😀", of: "x" },
    ]),
    stream.append({ text: "f", of: "x" }),
  ]);
  expect([good.status, last.status]).toEqual(["fulfilled", "fulfilled"]);
  expect(badKey).toMatchObject({
    reason: { code: "NOT_STORABLE", message: expect.stringContaining("the key for stream latin") as string },
  });
  for (const one of [badData, many]) expect(one).toMatchObject({ reason: fails });
  const there: string[] = [];
  for await (const { data } of stream.read()) there.push(data.text);
  expect(there).toEqual(["a", "f"]);
  const channel = keyline.channel<string>("latin");
  await expect(keyline.transaction((tx) => channel.publish("😀", { tx }))).rejects.toMatchObject(fails);
  await expect(keyline.transaction((tx) => stream.append({ text: "g😀", of: "x" }, { tx }))).rejects.toMatchObject(fails);
  await keyline.close();
});

test("an error whose text the database cannot store does not keep its job from its next attempt, nor from its end", async () => {
  const keyline = stage.keyline({ postgres: latin.url });
  const queue = keyline.queue<number>("errors", { transactional: true, maxAttempts: 2, backoff: { type: "fixed", delay: 10 } });
  const worker = queue.work(() => {
    throw new Error("no 😀 here");
  });
  let dead = 0;
  worker.on("dead", () => dead++);
  await queue.add(1);
  await eventually("it is dead", () => dead === 1);
  expect((await lettersOf(queue))[0]?.reason).toBe("Error: no ? here");

  const stream = keyline.stream<number>("errors", { transactional: true });
  const consumer = stream.consume(
    "group",
    () => {
      throw new Error("no 😀 there");
    },
    { maxAttempts: 1 },
  );
  let buried = 0;
  consumer.on("dead", () => buried++);
  await stream.append(1);
  await eventually("it is a dead letter", () => buried === 1);
  expect((await collected(stream.group("group").deadLetters()))[0]?.reason).toBe("Error: no ? there");
  await keyline.close();
});
