import { readFileSync, globSync } from "node:fs";
import { startValkeyCluster } from "@keyline/embedded";
import { Valkey } from "iovalkey";
import { Keyline, type HealthWarning } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { neededCommands } from "../../src/valkey/client/needed-rights.ts";
import { openDurableStage, type Stage } from "../support/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openDurableStage();
  await stage.valkey.config("SET", "save", "3600 1");
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

/** What is told of a user of Valkey with these rules. */
async function toldOf(...rules: string[]): Promise<readonly HealthWarning[]> {
  await stage.valkey.call("ACL", "SETUSER", "tried", "reset", "on", ">secret", ...rules);
  const keyline = stage.keyline({ valkey: stage.valkeyUrl.replace("//", "//tried:secret@") });
  const { warnings, valkey } = await keyline.health();
  expect(valkey.state).toBe("ok");
  await keyline.close();
  return warnings;
}

const own = (): string[] => [`~${stage.prefix}:*`, `&${stage.prefix}:*`];

describe("a user of Valkey", () => {
  test("who has the rights of the guide lacks nothing", async () => {
    expect(await toldOf(...own(), "+@all", "-@admin", "-@dangerous", "+info", "+config|get")).toEqual([]);
  });

  test.each(["eval", "evalsha", "publish", "subscribe", "lpush", "blmove", "xreadgroup", "xadd", "xinfo|stream", "hset", "zadd", "del"])(
    "who may not use %s is not called healthy",
    async (command) => {
      expect(await toldOf(...own(), "+@all", `-${command}`)).toEqual([
        {
          code: "RIGHTS_MISSING",
          message: expect.stringContaining(`may not use ${command.toUpperCase().replace("|", " ")}:`) as string,
          advice: expect.stringContaining("guide") as string,
        },
      ]);
    },
  );

  test("who may use other keys and channels alone is told that", async () => {
    const [warning, ...others] = await toldOf("~other:*", "&other:*", "+@all");
    expect(others).toEqual([]);
    expect(warning?.message).toContain(`keys that begin with ${stage.prefix}:, PUBLISH, SUBSCRIBE`);
  });

  test("is looked at without a write, also where Valkey's memory is full", async () => {
    const keyline = stage.keyline();
    await keyline.health();
    const before = await stage.valkey.dbsize();
    const changes = async (): Promise<unknown> => /rdb_changes_since_last_save:(\d+)/.exec(await stage.valkey.info("persistence"))?.[1];
    const changed = await changes();
    await stage.valkey.config("SET", "maxmemory", "1");
    const { warnings } = await keyline.health();
    await stage.valkey.config("SET", "maxmemory", "0");
    expect(warnings.map(({ code }) => code)).toEqual(["MEMORY_NEARLY_FULL"]);
    expect([await stage.valkey.dbsize(), await changes()]).toEqual([before, changed]);
  });
});

test("each server of a cluster is asked, for what channels use there too", async () => {
  const cluster = await startValkeyCluster();
  const [, second] = cluster.nodes;
  const node = new Valkey({ host: second?.host ?? "", port: second?.port ?? 0 });
  await node.call("ACL", "SETUSER", "default", "-spublish");
  const keyline = new Keyline({ valkey: { cluster: cluster.nodes }, prefix: stage.prefix });
  const { warnings } = await keyline.health();
  expect(warnings.find(({ code }) => code === "RIGHTS_MISSING")?.message).toContain("may not use SPUBLISH:");
  await keyline.close();
  node.disconnect();
  await cluster.stop();
});

test("every command of the scripts is asked for, but those that Keyline can do without", () => {
  const scripts = globSync("../../src/valkey/**/*.lua", { cwd: import.meta.dirname })
    .map((file) => readFileSync(`${import.meta.dirname}/${file}`, "utf8"))
    .join("\n");
  const used = [...scripts.matchAll(/redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?/g)].map(([, name = "", sub = ""]) =>
    /^X(GROUP|INFO)$/.test(name) ? `${name} ${sub}` : name,
  );
  const spared = new Set(["INFO", "SCAN", "PUBSUB", "XGROUP DESTROY", "XGROUP DELCONSUMER", "XINFO CONSUMERS"]);
  expect(used.length).toBeGreaterThan(500);
  expect([...new Set(used)].filter((name) => !neededCommands.includes(name) && !spared.has(name))).toEqual([]);
});

test("a role of PostgreSQL that may not use a sequence is not called healthy", async () => {
  const role = `sequences_${process.pid}`;
  const grants = [
    `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`,
    `GRANT USAGE ON SCHEMA keyline TO ${role}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA keyline TO ${role}`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA keyline TO ${role}`,
  ];
  for (const text of grants) await stage.pool.query(text);
  const url = new URL(stage.databaseUrl);
  url.username = role;
  url.password = "secret";
  const keyline = stage.keyline({ postgres: url.href });
  expect((await keyline.health()).warnings).toMatchObject([
    { code: "RIGHTS_MISSING", message: expect.stringContaining("USAGE on sequence keyline.") as string },
  ]);
  await stage.pool.query(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA keyline TO ${role}`);
  expect((await keyline.health()).warnings).toEqual([]);
  await keyline.close();
  await stage.pool.query(`DROP OWNED BY ${role}`);
  await stage.pool.query(`DROP ROLE ${role}`);
});

test("settings of PostgreSQL that endanger what was committed are told of as they are for the role", async () => {
  const keyline = stage.keyline();
  const { postgres } = await keyline.health();
  expect(postgres.durability).toEqual({ fsync: true, fullPageWrites: true, synchronousCommit: "on" });
  const { rows } = await stage.pool.query<{ max: number }>("SELECT current_setting('max_connections')::integer AS max");
  expect(postgres.connections?.max).toBeLessThanOrEqual(rows[0]?.max ?? 0);
  expect(postgres.connections?.max).toBeGreaterThan(0);
  expect(postgres.connections?.used).toBeGreaterThan(0);
  const url = new URL(stage.databaseUrl);
  url.searchParams.set("options", "-c synchronous_commit=off");
  const careless = stage.keyline({ postgres: url.href });
  const seen = await careless.health();
  expect(seen.postgres.durability).toMatchObject({ synchronousCommit: "off" });
  expect(seen.warnings).toMatchObject([{ code: "COMMIT_NOT_SYNCHRONOUS" }]);
});
