import { startPostgres, startValkey, startValkeyCluster } from "@keyline/embedded";
import { Keyline, type Health, type HealthWarningCode } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openDurableStage, openStage, type Stage } from "../support/stage.ts";

let stage: Stage & { readonly postgresUrl: string };
beforeAll(async () => {
  stage = await openDurableStage();
  await stage.keyline().migrate();
});
afterAll(() => stage.close());

const codes = ({ warnings }: Health): HealthWarningCode[] => warnings.map(({ code }) => code);
const without = async (...commands: string[]): Promise<string> => {
  await stage.valkey.call("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", ...commands.map((name) => `-${name}`));
  return stage.valkeyUrl.replace("//", "//limited:secret@");
};

test("says how both stores are", async () => {
  const keyline = stage.keyline();
  const { at, valkey, postgres } = await keyline.health();
  expect(Math.abs(at - Date.now())).toBeLessThan(60_000);
  expect(valkey).toMatchObject({
    state: "ok",
    error: undefined,
    memory: { maxBytes: 0, policy: "noeviction" },
    persistence: { appendOnly: false, snapshots: false, isFailing: false },
    role: "primary",
    evictedKeys: 0,
    isCluster: false,
    servers: 1,
  });
  expect(valkey.version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(valkey.memory?.usedBytes).toBeGreaterThan(100_000);
  const clients = await stage.valkey.info("clients");
  expect(valkey.connections?.max).toBe(Number(/maxclients:(\d+)/.exec(clients)?.[1]));
  expect(valkey.connections?.used).toBeGreaterThan(0);
  expect(valkey.roundTripMs).toBeGreaterThan(0);
  expect(postgres).toMatchObject({
    state: "ok",
    error: undefined,
    relay: { backlog: 0, oldestMs: undefined },
    pool: { size: 10, waiting: 0 },
  });
  expect(postgres.version).toMatch(/^\d+/);
  const { rows } = await stage.pool.query<{ version: number }>("SELECT max(version) AS version FROM keyline.migration");
  expect(postgres.migration).toEqual({ at: rows[0]?.version, newest: rows[0]?.version });
});

test("without PostgreSQL says that it is not used", async () => {
  const keyline = new Keyline({ valkey: stage.valkeyUrl, prefix: stage.prefix });
  const { postgres, warnings } = await keyline.health();
  expect(postgres).toMatchObject({ state: "unused", version: undefined, pool: undefined });
  expect(warnings.map(({ code }) => code)).toEqual(["NO_PERSISTENCE"]);
  for (const { message, advice } of warnings) expect([message.length > 20, advice.length > 5]).toEqual([true, true]);
  await keyline.close();
  await expect(keyline.health()).rejects.toMatchObject({ code: "CLOSED" });
});

test("warns of settings that endanger data, and not once they are mended", async () => {
  const keyline = stage.keyline();
  await keyline.health();
  await stage.valkey.config("SET", "maxmemory-policy", "allkeys-lru");
  await stage.valkey.config("SET", "maxmemory", "1gb");
  expect(codes(await keyline.health())).toEqual(["EVICTION", "NO_PERSISTENCE"]);
  const used = Number(/used_memory:(\d+)/.exec(await stage.valkey.info("memory"))?.[1]);
  await stage.valkey.config("SET", "maxmemory-policy", "noeviction");
  await stage.valkey.config("SET", "maxmemory", String(Math.round(used * 1.05)));
  expect(codes(await keyline.health())).toContain("MEMORY_NEARLY_FULL");
  await stage.valkey.config("SET", "maxmemory", "0");
  await stage.valkey.config("SET", "save", "3600 1");
  expect(await keyline.health()).toMatchObject({ valkey: { persistence: { snapshots: true } }, warnings: [] });
  await stage.valkey.config("SET", "save", "");
});

test("tells which rights are missing, and all that can be known without them", async () => {
  const noInfo = stage.keyline({ valkey: await without("info") });
  const { valkey, warnings } = await noInfo.health();
  expect(valkey).toMatchObject({ state: "ok", memory: undefined, persistence: undefined, version: undefined });
  expect(valkey.roundTripMs).toBeGreaterThan(0);
  expect(warnings.map(({ code }) => code)).toEqual(["RIGHTS_MISSING"]);
  await noInfo.close();
  const noConfig = stage.keyline({ valkey: await without("config") });
  const seen = await noConfig.health();
  expect(seen.valkey.persistence).toEqual({ appendOnly: false, snapshots: undefined, isFailing: false });
  expect(codes(seen)).toEqual(["PERSISTENCE_UNKNOWN"]);
});

test("tells a role of PostgreSQL that lacks rights", async () => {
  const role = `health_${process.pid}`;
  await stage.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  const url = new URL(stage.databaseUrl);
  url.username = role;
  url.password = "secret";
  const keyline = stage.keyline({ postgres: url.href });
  const { postgres, warnings } = await keyline.health();
  expect(postgres).toMatchObject({ state: "ok", migration: undefined, relay: undefined });
  expect(warnings.find(({ code }) => code === "RIGHTS_MISSING")?.message).toContain("USAGE on schema keyline");
  await keyline.close();
  await stage.pool.query(`DROP ROLE ${role}`);
});

test("tells migrations that are pending, and a schema that is newer", async () => {
  const fresh = await openStage(stage);
  const keyline = fresh.keyline();
  const before = await keyline.health();
  expect(before.postgres).toMatchObject({ state: "ok", migration: { at: 0 }, relay: undefined });
  expect(codes(before)).toEqual(["NO_PERSISTENCE", "MIGRATION_PENDING"]);
  await keyline.migrate();
  await fresh.pool.query("INSERT INTO keyline.migration (version, name) SELECT max(version) + 1, 'later' FROM keyline.migration");
  expect(codes(await keyline.health())).toEqual(["NO_PERSISTENCE", "SCHEMA_TOO_NEW"]);
  await fresh.close();
});

test("counts what is committed and not on Valkey", async () => {
  const keyline = stage.keyline();
  await stage.pool
    .query(`INSERT INTO keyline.job (queue, id, data, added_at) VALUES ('nobody', 'a', '1', now() - interval '1 minute'), ('nobody', 'b', '1', now()),
    ('another', 'a', '1', now())`);
  const { postgres, warnings } = await keyline.health();
  expect(postgres.relay?.backlog).toBe(3);
  expect(postgres.relay?.oldestMs).toBeGreaterThan(59_000);
  expect(warnings.find(({ code }) => code === "RELAY_LAG")?.message).toContain("3 committed");
  await stage.pool.query("DELETE FROM keyline.job");
});

test("says what is away and why, and what it knows of the other", async () => {
  const [valkey, postgres] = await Promise.all([startValkey(), startPostgres()]);
  const keyline = new Keyline({ valkey: valkey.url, postgres: postgres.url, prefix: stage.prefix });
  await keyline.migrate();
  expect(codes(await keyline.health())).toEqual(["NO_PERSISTENCE"]);
  await valkey.stop();
  const noValkey = await keyline.health();
  expect(noValkey).toMatchObject({ valkey: { state: "away" }, postgres: { state: "ok" } });
  expect(codes(noValkey)).toEqual(["VALKEY_AWAY"]);
  expect(noValkey.valkey.error).not.toBe("");
  // Whoever asks again does not wait a second time for an outage that is known.
  const waited = new Promise((resolve) => setTimeout(resolve, 1_000, "waited"));
  expect(await Promise.race([keyline.health().then(() => "answered"), waited])).toBe("answered");
  await postgres.stop();
  const nothing = await keyline.health();
  expect(nothing).toMatchObject({ valkey: { state: "away" }, postgres: { state: "away" } });
  expect(codes(nothing)).toEqual(["VALKEY_AWAY", "POSTGRES_AWAY"]);
  await keyline.close();
});

test("does not wait for a server that does not answer", async () => {
  const valkey = await startValkey();
  const keyline = new Keyline({ valkey: valkey.url, prefix: stage.prefix });
  await keyline.health();
  valkey.pause();
  expect(await keyline.health()).toMatchObject({ valkey: { state: "away" } });
  valkey.resume();
  await eventually("it is back", async () => (await keyline.health()).valkey.state === "ok");
  await keyline.close();
  await valkey.stop();
});

test("sums up the primaries of a cluster", async () => {
  const cluster = await startValkeyCluster();
  const keyline = new Keyline({ valkey: { cluster: cluster.nodes }, prefix: stage.prefix });
  const { valkey } = await keyline.health();
  expect(valkey).toMatchObject({ state: "ok", isCluster: true, servers: 3, role: "primary" });
  await keyline.close();
  await cluster.stop();
});
