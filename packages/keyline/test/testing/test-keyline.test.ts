import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Valkey } from "iovalkey";
import { Keyline } from "keyline";
import { createTestKeyline } from "keyline/testing";
import pg from "pg";
import { expect, inject, test } from "vitest";

async function keysOf(url: string, prefix: string): Promise<string[]> {
  const valkey = new Valkey(url.replace("valkey:", "redis:"));
  const keys = await valkey.keys(`${prefix}*`);
  await valkey.quit();
  return keys;
}

async function databasesOf(url: string): Promise<string[]> {
  const server = new URL(url);
  server.pathname = "/postgres";
  const client = new pg.Client({ connectionString: server.href });
  await client.connect();
  const { rows } = await client.query<{ datname: string }>("SELECT datname FROM pg_database");
  await client.end();
  return rows.map(({ datname }) => datname);
}

test("each has a place of its own on the same servers, and leaves nothing there", async () => {
  const [one, other] = await Promise.all([createTestKeyline(), createTestKeyline()]);
  expect(other.valkeyUrl).toBe(one.valkeyUrl);
  expect(new URL(other.databaseUrl).host).toBe(new URL(one.databaseUrl).host);
  for (const t of [one, other]) {
    t.keyline.queue<number>("plain").work(() => undefined);
    await t.keyline.queue<number>("plain").add(1, { delay: 60_000 });
    await t.keyline.queue<number>("orders", { transactional: true }).add(2);
    await t.keyline.stream<number>("events").append(3);
  }
  await one.keyline.queue<number>("plain").add(4);
  expect((await one.drain()).map(({ data }) => data)).toEqual([4]);
  expect(await other.drain()).toEqual([]);
  await other.advance(60_000);
  expect((await other.drain()).map(({ data }) => data)).toEqual([1]);
  expect(await one.drain()).toEqual([]);
  expect((await keysOf(one.valkeyUrl, one.prefix)).length).toBeGreaterThan(0);
  const { databaseUrl } = one;
  await one.close();
  expect(await keysOf(one.valkeyUrl, one.prefix)).toEqual([]);
  const left = await databasesOf(databaseUrl);
  expect(left).not.toContain(new URL(databaseUrl).pathname.slice(1));
  expect(left).toContain(new URL(other.databaseUrl).pathname.slice(1));
  await other.close();
  await other.close();
});

test("with the addresses of servers that are there it uses those, and drops its database also while somebody is connected to it", async () => {
  const t = await createTestKeyline({ valkey: inject("valkeyUrl"), postgres: inject("postgresUrl") });
  expect(t.valkeyUrl).toBe(inject("valkeyUrl"));
  const pool = new pg.Pool({ connectionString: t.databaseUrl });
  pool.on("error", () => undefined);
  await pool.query("CREATE TABLE mine (id integer)");
  const orders = t.keyline.queue<number>("orders", { transactional: true });
  orders.work(() => undefined);
  await orders.add(1);
  expect(await t.drain()).toHaveLength(1);
  await t.close();
  expect(await databasesOf(inject("postgresUrl"))).not.toContain(new URL(t.databaseUrl).pathname.slice(1));
  await pool.end();
}, 180_000);

test("without PostgreSQL", async () => {
  await using t = await createTestKeyline({ postgres: false });
  const queue = t.keyline.queue<number>("plain");
  queue.work(() => undefined);
  await queue.add(1, { delay: 1_000 });
  await t.advance(1_000);
  expect(await t.drain()).toHaveLength(1);
  expect(() => t.databaseUrl).toThrow(expect.objectContaining({ code: "POSTGRES_REQUIRED" }) as Error);
  expect(() => t.keyline.queue("orders", { transactional: true })).toThrow(expect.objectContaining({ code: "POSTGRES_REQUIRED" }) as Error);
});

test("another Keyline at the same place adds what its workers run", async () => {
  await using t = await createTestKeyline();
  await using own = new Keyline({ valkey: t.valkeyUrl, postgres: t.databaseUrl, prefix: t.prefix });
  t.keyline.queue<number>("plain").work(() => undefined);
  t.keyline.queue<number>("orders", { transactional: true }).work(() => undefined);
  await own.queue<number>("plain").add(1);
  await own.queue<number>("orders", { transactional: true }).add(2);
  expect((await t.drain()).map(({ data }) => String(data)).sort()).toEqual(["1", "2"]);
});

test("a handler that hangs does not keep it from closing: its signal is aborted", async () => {
  const t = await createTestKeyline();
  const queue = t.keyline.queue<number>("hanging");
  const begun = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<unknown>();
  queue.work(async (job) => {
    begun.resolve();
    job.signal.addEventListener("abort", () => aborted.resolve(job.signal.reason));
    await aborted.promise;
  });
  await queue.add(1);
  const draining = expect(t.drain({ timeout: 2_000 })).rejects.toMatchObject({ code: "NOT_DRAINED" });
  await begun.promise;
  await draining;
  await t.close();
  expect(await aborted.promise).toMatchObject({ code: "STOPPED" });
});

test("bad options are refused, and a server that cannot be reached is named", async () => {
  await expect(createTestKeyline({ database: "mine" } as object)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(createTestKeyline({ valkey: inject("valkeyUrl"), postgres: "postgres://127.0.0.1:1/none" })).rejects.toMatchObject({
    code: "POSTGRES_UNAVAILABLE",
  });
});

test("a process that used it and closed nothing ends by itself", async () => {
  const folder = mkdtempSync(join(import.meta.dirname, ".tmp-"));
  const file = join(folder, "program.ts");
  writeFileSync(
    file,
    `import { createTestKeyline } from "keyline/testing";
    const t = await createTestKeyline();
    await t.keyline.queue<number>("plain").add(1);
    await t.keyline.queue<number>("orders", { transactional: true }).add(2);
    console.log((await t.drain()).length);`,
  );
  const { stdout, stderr, code } = await run(file, ["--conditions=development"]);
  rmSync(folder, { recursive: true });
  expect({ stdout, stderr, code }).toEqual({ stdout: "0\n", stderr: "", code: 0 });
});

test("without @keyline/embedded it says how to install it, unless both addresses are given", async () => {
  const folder = mkdtempSync(join(import.meta.dirname, ".tmp-"));
  const file = join(folder, "program.ts");
  writeFileSync(
    file,
    `import { registerHooks } from "node:module";
    registerHooks({
      resolve: (name, context, next) => next(name === "@keyline/embedded" ? "@keyline/is-not-installed" : name, context),
    });
    const { createTestKeyline } = await import("keyline/testing");
    for (const options of [{}, { valkey: process.env.VALKEY_URL }, { valkey: process.env.VALKEY_URL, postgres: false }]) {
      const closed = createTestKeyline(options).then((t) => t.close());
      await closed.then(() => console.log("closed"), (error) => console.log(error.code, error.message));
    }`,
  );
  const { stdout, stderr, code } = await run(file, ["--conditions=development"], { VALKEY_URL: inject("valkeyUrl") });
  rmSync(folder, { recursive: true });
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  const [none, one, both] = stdout.split("\n");
  expect(none).toMatch(/^EMBEDDED_REQUIRED .*npm install --save-dev @keyline\/embedded/);
  expect(one).toMatch(/^EMBEDDED_REQUIRED/);
  expect(both).toBe("closed");
});

function run(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...args, file], { timeout: 50_000, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}
