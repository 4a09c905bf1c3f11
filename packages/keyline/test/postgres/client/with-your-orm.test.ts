import { PrismaPg } from "@prisma/adapter-pg";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import knex from "knex";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import postgres from "postgres";
import { DataSource } from "typeorm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TransactionClient } from "keyline";
import { PrismaClient } from "../../support/prisma-client.ts";
import { eventually, openStage, type Stage } from "../../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  await stage.pool.query("CREATE TABLE orders (order_details text)");
});
afterAll(() => stage.close());

/** What a library gives within its transaction. */
interface Within {
  /** Its own object, which is no `tx`. */
  readonly own: unknown;
  readonly tx: TransactionClient;
  insert(text: string): Promise<unknown>;
}

interface Library {
  transact(work: (within: Within) => Promise<void>): Promise<unknown>;
  end(): Promise<unknown>;
}

const insert = "INSERT INTO orders VALUES ($1)";

const libraries: Readonly<Record<string, () => Library | Promise<Library>>> = {
  Drizzle: () => {
    const pool = new pg.Pool({ connectionString: stage.databaseUrl });
    const db = drizzle(pool);
    return {
      transact: (work) =>
        db.transaction(async (tx) => {
          const { client } = tx._.session as unknown as { readonly client: pg.PoolClient };
          await work({ own: tx, tx: client, insert: async (text) => tx.execute(drizzleSql`INSERT INTO orders VALUES (${text})`) });
        }),
      end: () => pool.end(),
    };
  },
  Kysely: () => {
    const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: stage.databaseUrl }) }) });
    return {
      transact: (work) =>
        db.transaction().execute(async (trx) => {
          const tx = { query: (text: string, values: unknown[] = []) => trx.executeQuery(CompiledQuery.raw(text, values)) };
          await work({ own: trx, tx, insert: (text) => trx.executeQuery(CompiledQuery.raw(insert, [text])) });
        }),
      end: () => db.destroy(),
    };
  },
  Knex: () => {
    const db = knex({ client: "pg", connection: stage.databaseUrl });
    return {
      transact: (work) =>
        db.transaction(async (trx) => {
          const tx = (await trx.client.acquireConnection()) as pg.PoolClient;
          await work({ own: trx, tx, insert: async (text) => trx("orders").insert({ order_details: text }) });
        }),
      end: () => db.destroy(),
    };
  },
  TypeORM: async () => {
    const source = await new DataSource({ type: "postgres", url: stage.databaseUrl }).initialize();
    return {
      transact: (work) =>
        source.transaction(async (manager) => {
          const tx = (await manager.queryRunner?.connect()) as pg.PoolClient;
          await work({ own: manager, tx, insert: (text) => manager.query(insert, [text]) });
        }),
      end: () => source.destroy(),
    };
  },
  "postgres.js": () => {
    const db = postgres(stage.databaseUrl);
    return {
      transact: (work) =>
        db.begin(async (sql) => {
          const tx = { query: async (text: string, values: unknown[] = []) => ({ rows: await sql.unsafe(text, values as never[]) }) };
          await work({ own: sql, tx, insert: async (text) => sql`INSERT INTO orders VALUES (${text})` });
        }),
      end: () => db.end(),
    };
  },
  Prisma: () => {
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: stage.databaseUrl }) });
    return {
      transact: (work) =>
        prisma.$transaction(async (transaction) => {
          const tx = {
            query: async (text: string, values: unknown[] = []) => ({
              rows: (await transaction.$queryRawUnsafe(text, ...values)) as unknown[],
            }),
          };
          await work({ own: transaction, tx, insert: (text) => transaction.$executeRawUnsafe(insert, text) });
        }),
      end: () => prisma.$disconnect(),
    };
  },
};

const orders = async (like: string): Promise<string[]> => {
  const { rows } = await stage.pool.query<{ order_details: string }>("SELECT order_details FROM orders WHERE order_details LIKE $1", [
    like,
  ]);
  return rows.map((row) => row.order_details).toSorted();
};

describe.each(Object.keys(libraries))("%s", (name) => {
  let library: Library;
  beforeAll(async () => {
    const opened = await libraries[name]?.();
    if (!opened) throw new Error("there is no such library");
    library = opened;
  });
  afterAll(() => library.end());

  test("what was added, published and appended in its transaction goes out at the COMMIT, and not when it is rolled back", async () => {
    const keyline = stage.keyline();
    const queue = keyline.queue<string>(`orders-${name}`, { transactional: true });
    const stream = keyline.stream<string>(`orders-${name}`, { transactional: true, key: (text) => text });
    const channel = keyline.channel<string>(`orders-${name}`, { history: {} });
    const rolledBack = library.transact(async ({ tx, insert: write }) => {
      await write(`${name} no`);
      await queue.add("no", { tx });
      await stream.append("no", { tx });
      await channel.publish("no", { tx });
      throw new Error("no");
    });
    await expect(rolledBack).rejects.toThrow("no");
    await library.transact(async ({ tx, insert: write }) => {
      await write(`${name} yes`);
      expect(await queue.add("yes", { tx, id: "one", maxAttempts: 3 })).toMatchObject({ added: true });
      expect(await queue.add("again", { tx, id: "one" })).toMatchObject({ added: false });
      await queue.addMany([{ data: "two" }, { data: "three", maxAttempts: 2 }], { tx });
      expect(await stream.append("yes", { tx, idempotencyKey: "key" })).toMatchObject({ appended: true });
      expect(await stream.append("yes", { tx, idempotencyKey: "key" })).toMatchObject({ appended: false });
      await channel.publish("yes", { tx });
    });
    expect(await orders(`${name} %`)).toEqual([`${name} yes`]);
    const seen: string[] = [];
    queue.work((job) => void seen.push(job.data));
    await eventually("they ran", () => seen.length === 3);
    expect(seen).toEqual(["yes", "two", "three"]);
    const events: string[] = [];
    for await (const { data } of stream.read()) events.push(data);
    expect(events).toEqual(["yes"]);
    await eventually("it was published", async () => (await channel.history()).messages.length > 0);
    expect((await channel.history()).messages.map(({ data }) => data)).toEqual(["yes"]);
    await keyline.close();
  });

  test("its own object as tx is refused with what to give instead, before anything is written", async () => {
    const keyline = stage.keyline();
    const queue = keyline.queue<string>(`refused-${name}`, { transactional: true });
    const stream = keyline.stream<string>(`refused-${name}`, { transactional: true });
    const channel = keyline.channel<string>(`refused-${name}`);
    const refused = { code: "INVALID_OPTION", message: expect.stringMatching(new RegExp(`^tx must be .*${name}: give `)) as string };
    await library.transact(async ({ own, insert: write }) => {
      const tx = own as TransactionClient;
      await expect(queue.add("x", { tx })).rejects.toMatchObject(refused);
      await expect(queue.addMany([{ data: "x" }], { tx })).rejects.toMatchObject(refused);
      await expect(stream.append("x", { tx })).rejects.toMatchObject(refused);
      await expect(channel.publish("x", { tx })).rejects.toMatchObject(refused);
      await write(`${name}-refused`);
    });
    expect(await orders(`${name}-%`)).toEqual([`${name}-refused`]);
    expect((await stage.pool.query("SELECT FROM keyline.job WHERE queue = $1", [queue.name])).rows).toEqual([]);
    await keyline.close();
  });
});

describe("an object that is none of those", () => {
  const query = (text: string, values?: unknown[]): Promise<{ rows: unknown[] }> => stage.pool.query(text, values);

  test.each([
    ["null", () => null],
    ["a text", () => "BEGIN"],
    ["an object without query", () => ({ execute: () => undefined })],
    [
      "a query that resolves to the rows alone",
      () => ({ query: async (text: string, values?: unknown[]) => (await query(text, values)).rows }),
    ],
    ["a query that resolves to nothing", () => ({ query: () => undefined })],
    [
      "a query whose rows are arrays",
      () => ({ query: (text: string, values: unknown[]) => stage.pool.query({ text, values, rowMode: "array" }) }),
    ],
  ])("%s is refused before anything is written", async (_, make) => {
    const keyline = stage.keyline();
    const queue = keyline.queue<string>("none", { transactional: true });
    await expect(queue.add("x", { tx: make() as never })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect((await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'none'")).rows).toEqual([]);
    await keyline.close();
  });

  test("a wrapper around a pool, each of whose statements is a transaction of its own, is refused once it was asked", async () => {
    const keyline = stage.keyline();
    const queue = keyline.queue<string>("pooled", { transactional: true });
    const tx = { query };
    for (let n = 0; n < 2; n++) await expect(queue.add("x", { tx })).rejects.toMatchObject({ code: "NOT_IN_TRANSACTION" });
    expect((await stage.pool.query("SELECT FROM keyline.job WHERE queue = 'pooled'")).rows).toEqual([]);
    await keyline.close();
  });
});
