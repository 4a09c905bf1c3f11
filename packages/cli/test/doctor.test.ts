import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { startPostgres, startValkey, type EmbeddedPostgres, type EmbeddedValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { keyline, objects, type Ended } from "./support/command.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let valkey: EmbeddedValkey;
let postgres: EmbeddedPostgres;
let app: Keyline;
let env: { readonly VALKEY_URL: string; readonly DATABASE_URL: string };
beforeAll(async () => {
  [valkey, postgres] = await Promise.all([startValkey({ persistence: true }), startPostgres()]);
  env = { VALKEY_URL: valkey.url, DATABASE_URL: await postgres.createDatabase("shop") };
  app = new Keyline({ valkey: env.VALKEY_URL, postgres: env.DATABASE_URL });
  await app.migrate();
});
afterAll(async () => {
  await app.close();
  await Promise.all([valkey.stop(), postgres.stop()]);
});

const doctor = (changed: Partial<typeof env> = {}, ...more: string[]): Promise<Ended> =>
  keyline(["doctor", ...more], { env: { ...env, ...changed } });
const codesOf = (ended: Ended): unknown => objects(ended)[0]?.["warnings"];

test("ends with 0 where nothing endangers data or speed, and tells of connections of both servers", async () => {
  const [{ code, stdout, stderr }, json] = await Promise.all([doctor(), doctor({}, "--json")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("Nothing endangers data or speed");
  expect(stdout.match(/^ {2}connections\t\d+ in use of \d+$/gm)).toHaveLength(2);
  expect(json.code).toBe(0);
  expect(objects(json)[0]).toMatchObject({ healthy: true, warnings: [], notes: [] });
});

test("a policy of Valkey by which it throws keys away is no health", async () => {
  await app.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  const { code, stdout } = await doctor();
  await app.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
  expect(code).toBe(3);
  expect(stdout).toMatch(/EVICTION {2}.*allkeys-lru.*\n {2}To do: set maxmemory-policy to noeviction/);
});

test.each(["eval", "publish", "lpush"])("a user of Valkey who may not use %s is no health", async (command) => {
  await app.command("ACL", "SETUSER", "less", "reset", "on", ">secret", "~*", "&*", "+@all", `-${command}`);
  const ended = await doctor({ VALKEY_URL: valkey.url.replace("//", "//less:secret@") }, "--json");
  expect(ended.code).toBe(3);
  const message = expect.stringContaining(`may not use ${command.toUpperCase()}:`) as string;
  expect(codesOf(ended)).toMatchObject([{ code: "RIGHTS_MISSING", message }]);
});

describe("PostgreSQL", () => {
  const withOption = (name: string, value: string): { readonly DATABASE_URL: string } => {
    const url = new URL(env.DATABASE_URL);
    url.searchParams.set(name, value);
    return { DATABASE_URL: url.href };
  };

  test("that answers before a COMMIT is on disk is no health", async () => {
    const { code, stdout } = await doctor(withOption("options", "-c synchronous_commit=off"));
    expect(code).toBe(3);
    expect(stdout).toMatch(/COMMIT_NOT_SYNCHRONOUS {2}.*\n {2}To do: set synchronous_commit to on/);
  });

  test("whose schema is not there yet is no health", async () => {
    const ended = await doctor({ DATABASE_URL: await postgres.createDatabase("empty") }, "--json");
    expect(ended.code).toBe(3);
    expect(codesOf(ended)).toMatchObject([{ code: "MIGRATION_PENDING" }]);
  });
});

test("a version of Valkey that is supported and old is a note, and a deployment that waits for doctor goes on", async () => {
  const { valkey: seen } = await app.health();
  const version = seen.version ?? "";
  const old = `7.2.${"9".repeat(version.length - 4)}`;
  const server = createServer((client) => {
    const upstream = connect(valkey.port, valkey.host);
    client.on("error", () => upstream.destroy()).pipe(upstream);
    upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
    upstream.on("data", (bytes) => {
      const text = bytes.toString("latin1").replaceAll(`valkey_version:${version}`, `valkey_version:${old}`);
      client.write(Buffer.from(text, "latin1"));
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const VALKEY_URL = `valkey://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [shown, json] = await Promise.all([doctor({ VALKEY_URL }), doctor({ VALKEY_URL }, "--json")]);
  expect(shown).toMatchObject({ code: 0, stderr: "" });
  expect(shown.stdout).toMatch(new RegExp(`OLD_VALKEY {2}The server is Valkey ${old}.*\\n {2}Better: run Valkey 8 or newer`));
  expect(shown.stdout).toContain("Nothing endangers data or speed");
  expect(json.code).toBe(0);
  expect(objects(json)[0]).toMatchObject({ healthy: true, warnings: [], notes: [{ code: "OLD_VALKEY" }] });
  await new Promise((resolve) => server.close(resolve));
});
