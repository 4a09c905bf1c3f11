import { readFileSync } from "node:fs";
import type { Health, HealthWarningCode, Keyline, PostgresHealth, ValkeyHealth } from "keyline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { notesOf, warningsOf } from "../../src/health/health-warnings.ts";
import { betterPostgres } from "../../src/health/postgres-warnings.ts";
import { toValkeyHealth } from "../../src/health/valkey-health.ts";
import { oldestPostgres } from "../../src/postgres/client/server-check.ts";
import { openDurableStage, type Stage } from "../support/stage.ts";

// What real servers say of themselves, with one thing in it that a server cannot be brought to say at will.

let stage: Stage;
let keyline: Keyline;
let real: Health;
let info: ReadonlyMap<string, string>;
beforeAll(async () => {
  stage = await openDurableStage();
  await stage.valkey.config("SET", "save", "3600 1");
  keyline = stage.keyline();
  await keyline.migrate();
  real = await keyline.health();
  info = new Map([...(await stage.valkey.info()).matchAll(/^(\w+):([^\r\n]*)/gm)].map(([, name = "", value = ""]) => [name, value]));
});
afterAll(() => stage.close());

const valkeySeen = (health: ValkeyHealth, refused: readonly string[] = []): Parameters<typeof warningsOf>[0] => {
  return { health, isInfoRefused: false, refused };
};
/** Valkey's health where INFO says this too. */
const saying = (changed: Record<string, string>): ValkeyHealth => {
  const report = { info: new Map([...info, ...Object.entries(changed)]), isInfoRefused: false, refused: [], save: "3600 1" };
  return toValkeyHealth([{ ...report, roundTripMs: real.valkey.roundTripMs ?? 0, clockSkewMs: real.valkey.clockSkewMs ?? 0 }], false);
};
const told = (valkey: ValkeyHealth, postgres: PostgresHealth = real.postgres): object[] =>
  warningsOf(valkeySeen(valkey), { health: postgres });

test("of what was read nothing is wrong, so all that is told below is for what was changed", () => {
  expect(real.warnings).toEqual([]);
  expect(real.notes).toEqual([]);
  expect(told(saying({}))).toEqual([]);
});

describe("Valkey", () => {
  test.each<[HealthWarningCode, Record<string, string>, RegExp]>([
    ["KEYS_EVICTED", { evicted_keys: "17" }, /thrown 17 keys away/],
    ["EVICTION", { maxmemory_policy: "volatile-ttl" }, /volatile-ttl/],
    ["MEMORY_NEARLY_FULL", { used_memory: "95", maxmemory: "100" }, /95 %/],
    ["PERSISTENCE_FAILING", { rdb_last_bgsave_status: "err" }, /could not write/],
    ["PERSISTENCE_FAILING", { aof_last_write_status: "err" }, /could not write/],
    ["CONNECTIONS_NEARLY_USED", { connected_clients: "91", maxclients: "100" }, /Valkey has 91 connections, and takes 100/],
  ])("%s where INFO says %o", (code, changed, message) => {
    expect(told(saying(changed))).toEqual([
      { code, message: expect.stringMatching(message) as string, advice: expect.stringMatching(/\w{3}/) as string },
    ]);
  });

  test.each([
    [{ used_memory: "90", maxmemory: "100" }],
    [{ used_memory: "95", maxmemory: "0" }],
    [{ connected_clients: "90", maxclients: "100" }],
    [{ evicted_keys: "0" }],
  ])("nothing where INFO says %o", (changed) => {
    expect(told(saying(changed))).toEqual([]);
  });

  test("RIGHTS_MISSING names a few of the commands that are refused", () => {
    const refused = ["EVAL", "PUBLISH", "XADD", "XACK", "LPUSH", "LPOP", "ZADD", "ZREM"];
    expect(warningsOf(valkeySeen(real.valkey, refused), { health: real.postgres })).toEqual([
      {
        code: "RIGHTS_MISSING",
        message: expect.stringContaining("EVAL, PUBLISH, XADD, XACK, LPUSH, LPOP, 2 more") as string,
        advice: expect.stringContaining("guide") as string,
      },
    ]);
  });
});

describe("PostgreSQL", () => {
  const pool = { size: 10, busy: 10, waiting: 0 };
  test.each<[HealthWarningCode, Partial<PostgresHealth>, RegExp, RegExp]>([
    ["POOL_BUSY", { pool: { ...pool, waiting: 3 } }, /All 10 connections .* 3 callers wait/, /postgres\.max/],
    ["CONNECTIONS_NEARLY_USED", { connections: { used: 96, max: 97 } }, /PostgreSQL has 96 connections, and takes 97/, /max_connections/],
    ["RELAY_LAG", { relay: { backlog: 12, oldestMs: 5_001 } }, /^12 committed .* for 5 s$/, /a process runs/],
    ["FSYNC_OFF", { durability: { fsync: false, fullPageWrites: true, synchronousCommit: "on" } }, /fsync is off/, /^set fsync to on$/],
    [
      "FSYNC_OFF",
      { durability: { fsync: false, fullPageWrites: false, synchronousCommit: "on" } },
      /fsync and full_page_writes are off/,
      /^set fsync and full_page_writes to on$/,
    ],
    [
      "COMMIT_NOT_SYNCHRONOUS",
      { durability: { fsync: true, fullPageWrites: true, synchronousCommit: "off" } },
      /takes back what was committed/,
      /set synchronous_commit to on/,
    ],
    ["MIGRATION_PENDING", { migration: { at: 3, newest: 4 } }, /at migration 3/, /migrate/],
    ["SCHEMA_TOO_NEW", { migration: { at: 5, newest: 4 } }, /knows only 4/, /upgrade/],
  ])("%s for %o", (code, changed, message, advice) => {
    expect(told(real.valkey, { ...real.postgres, ...changed })).toEqual([
      { code, message: expect.stringMatching(message) as string, advice: expect.stringMatching(advice) as string },
    ]);
  });

  test.each<[Partial<PostgresHealth>]>([
    [{ pool }],
    [{ connections: { used: 87, max: 97 } }],
    [{ relay: { backlog: 12, oldestMs: 5_000 } }],
    [{ durability: { fsync: true, fullPageWrites: true, synchronousCommit: "local" } }],
  ])("nothing for %o", (changed) => {
    expect(told(real.valkey, { ...real.postgres, ...changed })).toEqual([]);
  });

  test("the first right that is missing, but of a schema that is not there yet", () => {
    const warned = (at: number): unknown[] =>
      warningsOf(valkeySeen(real.valkey), {
        health: { ...real.postgres, migration: { at, newest: 1 } },
        missingRight: "USAGE on sequence keyline.job_seq_seq",
      }).map(({ code, message }) => [code, message]);
    expect(warned(1)).toEqual([["RIGHTS_MISSING", "The role of PostgreSQL lacks USAGE on sequence keyline.job_seq_seq"]]);
    expect(warned(0)).toEqual([["MIGRATION_PENDING", expect.any(String)]]);
  });

  test("the pool of this process is told of while the server is away, too", () => {
    const away = { ...real.postgres, state: "away", error: "gone", pool: { ...pool, waiting: 1 } } as const;
    expect(told(real.valkey, away)).toMatchObject([{ code: "POOL_BUSY" }, { code: "POSTGRES_AWAY", message: "PostgreSQL is away: gone" }]);
  });
});

describe("clocks", () => {
  test.each([
    [1_001, "ahead of"],
    [-1_001, "behind"],
  ])("CLOCK_SKEW for %i ms of either store", (clockSkewMs, word) => {
    const warned = told({ ...real.valkey, clockSkewMs }, { ...real.postgres, clockSkewMs });
    expect(warned).toEqual(
      ["Valkey", "PostgreSQL"].map((store) => ({
        code: "CLOCK_SKEW",
        message: `The clock of ${store} is 1001 ms ${word} the one of this process`,
        advice: expect.stringContaining("NTP") as string,
      })),
    );
  });

  test("nothing for a second", () => {
    expect(told({ ...real.valkey, clockSkewMs: -1_000 }, { ...real.postgres, clockSkewMs: 1_000 })).toEqual([]);
  });
});

describe("a server that is supported and old is a note, and endangers nothing", () => {
  const asRedis = (version: string): ValkeyHealth => {
    const { valkey_version: _, server_name: __, ...rest } = Object.fromEntries(info);
    const report = { isInfoRefused: false, refused: [], save: "3600 1", roundTripMs: 1, clockSkewMs: 0 };
    return toValkeyHealth([{ ...report, info: new Map([...Object.entries(rest), ["redis_version", version]]) }], false);
  };
  test.each([
    ["Valkey 7.2.14", () => saying({ valkey_version: "7.2.14" }), ["OLD_VALKEY"]],
    ["Valkey 8.0.0", () => saying({ valkey_version: "8.0.0" }), []],
    ["Valkey 10.0.0", () => saying({ valkey_version: "10.0.0" }), []],
    ["Redis 7.0.15", () => asRedis("7.0.15"), ["OLD_VALKEY"]],
    ["Redis 7.2.0", () => asRedis("7.2.0"), []],
  ] as const)("%s", (name, health, expected) => {
    const seen = [valkeySeen(health()), { health: real.postgres }] as const;
    expect(warningsOf(...seen)).toEqual([]);
    const notes = notesOf(...seen);
    expect(notes.map(({ code }) => code)).toEqual(expected);
    for (const { message, advice } of notes) {
      expect(message).toContain(`The server is ${name}: it works`);
      expect(advice).toContain("Valkey 8 or newer");
    }
  });

  test.each([
    [oldestPostgres, ["OLD_POSTGRES"]],
    [betterPostgres - 1, ["OLD_POSTGRES"]],
    [betterPostgres, []],
  ])("PostgreSQL %i", (major, expected) => {
    const seen = [valkeySeen(real.valkey), { health: { ...real.postgres, version: `${major}.9` }, major }] as const;
    expect(warningsOf(...seen)).toEqual([]);
    const notes = notesOf(...seen);
    expect(notes.map(({ code }) => code)).toEqual(expected);
    for (const { message, advice } of notes) {
      expect(message).toContain(`PostgreSQL ${major}.9: it works`);
      expect(advice).toBe(`run PostgreSQL ${betterPostgres} or newer`);
    }
  });
});

test("the guide lists each code, and no other", () => {
  const read = (file: string): string => readFileSync(new URL(file, import.meta.url), "utf8");
  const guide = read("../../../../docs/guides/queue-operate.md");
  const rows = guide.slice(guide.indexOf("| `code` of a warning"), guide.indexOf("**Who works.**"));
  const listed = [...rows.matchAll(/`([A-Z]{2,}_[A-Z_]+|[A-Z]{6,})`/g)].map(([, code = ""]) => code);
  const source = read("../../src/health/warning.ts");
  const codes = [...source.slice(0, source.indexOf("nearlyAll")).matchAll(/"([A-Z_]+)"/g)].map(([, code = ""]) => code);
  expect(codes.length).toBeGreaterThan(15);
  expect(listed.toSorted()).toEqual(codes.toSorted());
});
