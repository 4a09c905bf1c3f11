import { readFileSync } from "node:fs";
import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../support/stage.ts";

// The guide says which rights are enough. These are read out of it, and are all that the users here have.

const guide = readFileSync(new URL("../../../../docs/guides/queue-operate.md", import.meta.url), "utf8");
const section = guide.slice(guide.indexOf("## Rights"), guide.indexOf("\n## ", guide.indexOf("## Rights") + 1));
const blockOf = (language: string): string => new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "s").exec(section)?.[1] ?? "";

let server: EmbeddedValkey;
let stage: Stage;
const role = `shop_${process.pid}`;
const opened: Keyline[] = [];
beforeAll(async () => {
  server = await startValkey();
  stage = await openStage({ valkeyUrl: server.url });
  await stage.keyline().migrate();
  // Where functions are not everybody's, as where an operator has revoked them.
  await stage.pool.query("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA keyline FROM PUBLIC");
  await stage.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  for (const line of blockOf("sh").trim().split("\n")) {
    const [, ...words] = line.split(" ").map((word) => word.replaceAll("'", ""));
    await stage.valkey.call(...(words as [string, ...string[]]));
  }
});
afterAll(async () => {
  await Promise.all(opened.map((keyline) => keyline.close()));
  await stage.pool.query(`DROP OWNED BY ${role}`);
  await stage.pool.query(`DROP ROLE ${role}`);
  await stage.close();
  await server.stop();
});

function open(user: string, prefix = "kl"): Keyline {
  const postgres = new URL(stage.databaseUrl);
  postgres.username = role;
  postgres.password = "secret";
  const keyline = new Keyline({ valkey: server.url.replace("//", `//${user}:secret@`), postgres: postgres.href, prefix });
  opened.push(keyline);
  return keyline;
}

const grant = async (): Promise<void> => void (await stage.pool.query(blockOf("sql").replaceAll("shop", role)));

describe("rights that are missing are told by the first use", () => {
  test("of PostgreSQL, to whoever adds, and to a worker", async () => {
    await stage.pool.query(
      blockOf("sql")
        .replaceAll("shop", role)
        .replace(/GRANT EXECUTE.*;/, ""),
    );
    const queue = open("shop").queue("denied", { transactional: true });
    await expect(queue.add(1)).rejects.toMatchObject({
      code: "NOT_PERMITTED",
      message: expect.stringContaining("EXECUTE on function") as string,
    });
    const told = new Promise((resolve) => queue.work(() => undefined).on("error", resolve));
    expect(await told).toMatchObject({ code: "NOT_PERMITTED" });
    await grant();
  });

  test.each(["lpush", "get"])("of Valkey's %s, to whoever adds to a transactional queue, before the row is there", async (command) => {
    await stage.valkey.call("ACL", "SETUSER", "less", "on", ">secret", "~kl:*", "&kl:*", "+@all", `-${command}`);
    const keyline = open("less");
    const queue = keyline.queue(`less-${command}`, { transactional: true });
    const denied = { code: "NOT_PERMITTED", message: expect.stringContaining(command) as string };
    await expect(queue.add(1)).rejects.toMatchObject(denied);
    await expect(keyline.transaction((tx) => queue.add(1, { tx }))).rejects.toMatchObject(denied);
    const { rows } = await stage.pool.query("SELECT count(*)::int AS count FROM keyline.job WHERE queue = $1", [queue.name]);
    expect(rows).toEqual([{ count: 0 }]);
  });

  test.each(["lmove", "rpush", "blmove", "hset"])("of Valkey's %s, to a worker, before it takes anything", async (command) => {
    await stage.valkey.call("ACL", "SETUSER", "lame", "reset", "on", ">secret", "~kl:*", "&kl:*", "+@all", `-${command}`);
    const queue = open("shop").queue(`lame-${command}`);
    await queue.addMany([{ data: 1 }, { data: 2 }, { data: 3 }]);
    const worker = open("lame")
      .queue(queue.name)
      .work(() => undefined, { concurrency: 10 });
    const told = await new Promise((resolve) => worker.on("error", resolve));
    expect(told).toMatchObject({ code: "NOT_PERMITTED", message: expect.stringContaining(command) as string });
    expect((await queue.counts()).waiting).toBe(3);
  });
});

test("a role that may create nothing can migrate a schema that is up to date", async () => {
  await grant();
  await open("shop").migrate();
  const owner = new pg.Client({ connectionString: stage.databaseUrl });
  await owner.connect();
  const { rows } = await owner.query(`SELECT has_database_privilege('${role}', current_database(), 'CREATE') AS may`);
  expect(rows).toEqual([{ may: false }]);
  await owner.end();
});

test("whoever listens to a pattern is given that pattern among the channels, and else the log says so", async () => {
  const rules = ["on", ">secret", "~kl:*", "&kl:*", "+@all", "-@admin", "-@dangerous", "+info"];
  await stage.valkey.call("ACL", "SETUSER", "listener", ...rules, "&kl:{weather.*}:live");
  await stage.valkey.call("ACL", "SETUSER", "deaf", ...rules);
  const log: string[] = [];
  const note = (_: object, message: string): void => void log.push(message);
  const listening = open("listener");
  const deaf = new Keyline({
    valkey: server.url.replace("//", "//deaf:secret@"),
    logger: { debug: note, info: note, warn: note, error: note },
  });
  opened.push(deaf);
  const heard: unknown[] = [];
  const subscription = listening.channels("weather.*").subscribe((message) => void heard.push(message.channel));
  await subscription.ready;
  await listening.channel("weather.rome").publish(1);
  await eventually("it is heard", () => heard.length > 0);
  const refused = deaf.channels("weather.*").subscribe(() => undefined);
  await eventually("it is said", () => log.includes("Valkey refused a subscription; it is asked for again"));
  await Promise.all([subscription.close(), refused.close()]);
});

test.each([
  ["with the rights of the guide", "kl"],
  ["without INFO for anybody", "quiet"],
])("%s everything works", async (_, prefix) => {
  await grant();
  await stage.valkey.call("ACL", "SETUSER", "quiet", "on", ">secret", "~quiet:*", "&quiet:*", "+@all", "-@admin", "-@dangerous");
  const keyline = open(prefix === "kl" ? "shop" : "quiet", prefix);
  const done: unknown[] = [];
  const plain = keyline.queue(`${prefix}-plain`, { backoff: { type: "fixed", delay: 1 } });
  const recorded = keyline.queue(`${prefix}-recorded`, { transactional: true });
  const workers = [
    plain.work((job) => {
      if (job.attempt === 1) throw new Error("again");
      done.push(["plain", job.data]);
    }),
    recorded.work(async (job, { settle }) => {
      await settle(async (tx) => void (await tx.query("SELECT 1")));
      done.push(["recorded", job.data]);
    }),
  ];
  const channel = keyline.channel<number>(`${prefix}-news`, { history: { size: 10 } });
  const heard: unknown[] = [];
  const subscription = channel.subscribe((message) => void heard.push(message.data));
  await subscription.ready;
  const stream = keyline.stream<number>(`${prefix}-events`, { transactional: true, key: (event) => String(event) });
  const consumer = stream.consume("group", (entry) => void done.push(["entry", entry.data]));
  const follower = stream.follow({ after: "-" })[Symbol.asyncIterator]();
  const another = keyline.stream<number>("others").follow({ after: "-" })[Symbol.asyncIterator]();
  const waiting = another.next();

  await plain.add(1);
  await plain.add(2, { id: "two" });
  await recorded.add(3);
  await plain.schedule("tick", { every: 100, limit: 1, data: 10 });
  await recorded.schedule("tick", { every: 100, limit: 1, data: 11 });
  await keyline.transaction(async (tx) => {
    await recorded.add(4, { tx });
    await channel.publish(5, { tx });
    await stream.append(6, { tx });
  });
  await channel.publish(7);
  await (await channel.presence.enter("ada")).leave();
  await keyline.stream<number>("others").append(8);
  expect((await follower.next()).value?.data).toBe(6);
  expect((await waiting).value?.data).toBe(8);
  const all = [
    ["plain", 1],
    ["plain", 2],
    ["recorded", 3],
    ["recorded", 4],
    ["plain", 10],
    ["recorded", 11],
    ["entry", 6],
  ];
  await eventually("all of it ran", () => all.every((one) => done.some((other) => JSON.stringify(other) === JSON.stringify(one))));
  await eventually("it was heard", () => heard.length === 2);
  const again = await channel.history({ since: "earliest" });
  expect(again.messages).toHaveLength(2);
  // Valkey loses everything: what is committed comes again.
  await Promise.all([...workers, consumer].map((one) => one.stop()));
  await recorded.add(9);
  await eventually("it is there", async () => (await recorded.counts()).waiting === 1);
  await stage.valkey.flushall();
  await eventually("it is there again", async () => (await recorded.counts()).waiting === 1);
  await keyline.close();
});
