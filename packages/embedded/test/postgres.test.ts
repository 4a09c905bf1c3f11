import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type EmbeddedPostgres, startPostgres } from "../src/index.ts";
import { childrenOf } from "../src/process/children.ts";
import { freePort, host } from "../src/process/ports.ts";
import { runStatement } from "../src/postgres/query.ts";
import { eventually, isAlive, nothingIsLeftOf } from "./eventually.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const isRoot = process.getuid?.() === 0;

let postgres: EmbeddedPostgres;
const lines: string[] = [];
beforeAll(async () => {
  postgres = await startPostgres({ log: (line) => lines.push(line) });
});
afterAll(() => postgres.stop());

function loginTo(server: EmbeddedPostgres): { port: number; user: string; password: string } {
  return { port: server.port, user: server.user, password: new URL(server.url).password };
}

async function setting(server: EmbeddedPostgres, name: string, value: string): Promise<void> {
  const check = `DO $$ BEGIN ASSERT current_setting('${name}') = '${value}', current_setting('${name}'); END $$`;
  await runStatement(loginTo(server), check);
}

test("it runs with PostgreSQL's own durability and 200 connections, on 127.0.0.1 alone", async () => {
  await setting(postgres, "fsync", "on");
  await setting(postgres, "synchronous_commit", "on");
  await setting(postgres, "full_page_writes", "on");
  await setting(postgres, "max_connections", "200");
  await setting(postgres, "listen_addresses", "127.0.0.1");
});

test("it says where it came from", () => {
  expect(postgres.source).toMatch(/^PostgreSQL \d+(\.\d+)? from \//);
  expect(lines.at(-1)).toBe(`PostgreSQL: ${postgres.source}, on port ${postgres.port}`);
});

test.runIf(isRoot && process.platform === "linux")("root's server runs as somebody else, in a folder that nobody else can read", () => {
  const owner = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${postgres.pid}/status`, "utf8"))?.[1];
  expect(Number(owner)).not.toBe(0);
  expect(statSync(postgres.dir).uid).toBe(Number(owner));
  expect(statSync(postgres.dir).mode & 0o077).toBe(0);
});

test("without the password nobody gets in", async () => {
  const login = { ...loginTo(postgres), password: "wrong" };
  await expect(runStatement(login, "SELECT 1")).rejects.toThrow("password authentication failed");
});

test("createDatabase makes a database and returns its URL, whatever its name", async () => {
  const url = await postgres.createDatabase('a "strange" name/1');
  expect(new URL(url).pathname).toBe("/a%20%22strange%22%20name%2F1");
  await expect(postgres.createDatabase('a "strange" name/1')).rejects.toThrow("already exists");
});

test("what is committed outlives a kill and both kinds of restart, on the same port", async () => {
  const { port } = postgres;
  await postgres.createDatabase("kept");
  const children = await childrenOf(postgres.pid);
  expect(children.length).toBeGreaterThan(2);
  await postgres.kill();
  await expect(postgres.createDatabase("other")).rejects.toMatchObject({ code: "REQUEST_FAILED" });
  for (const restart of [() => postgres.restart(), () => postgres.restart(), () => postgres.restart("immediate")]) {
    await restart();
    expect(postgres.port).toBe(port);
    await expect(postgres.createDatabase("kept")).rejects.toThrow("already exists");
  }
});

test("a kill takes running sessions with it", async () => {
  const server = await startPostgres();
  const busy = runStatement(loginTo(server), "SELECT count(*) FROM generate_series(1, 1000000000)");
  const outcome = expect(busy).rejects.toMatchObject({ code: "REQUEST_FAILED" });
  const children = await childrenOf(server.pid);
  await server.kill();
  await outcome;
  expect(await eventually(() => !children.some(isAlive))).toBe(true);
  await server.stop();
  expect(nothingIsLeftOf(server)).toBe(true);
});

test("two servers run side by side, with settings of their own", async () => {
  const servers = await Promise.all([
    startPostgres({ settings: { work_mem: "8MB", application_name: "it's one" } }),
    startPostgres({ settings: { work_mem: "9MB", max_connections: "20" } }),
  ]);
  await setting(servers[0], "work_mem", "8MB");
  await setting(servers[0], "application_name", "it''s one");
  await setting(servers[1], "work_mem", "9MB");
  await setting(servers[1], "max_connections", "20");
  await Promise.all(servers.map((server) => server.stop()));
  expect(servers.every(nothingIsLeftOf)).toBe(true);
});

test("a folder that the caller names is kept, and opened again with its data and password", async () => {
  const parent = mkdtempSync(join(tmpdir(), "keyline-test-"));
  chmodSync(parent, 0o755);
  const dir = join(parent, "postgres");
  const first = await startPostgres({ dir });
  await first.createDatabase("kept");
  await first.stop();
  expect(existsSync(join(dir, "data", "PG_VERSION"))).toBe(true);
  const second = await startPostgres({ dir });
  expect(new URL(second.url).password).toBe(new URL(first.url).password);
  await expect(second.createDatabase("kept")).rejects.toThrow("already exists");
  await second.stop();
  rmSync(parent, { recursive: true });
});

test.runIf(isRoot)("a folder with somebody's files in it is not given to the server's user", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));
  writeFileSync(join(folder, "file"), "");
  await expect(startPostgres({ dir: folder })).rejects.toThrow("is not empty and does not belong to user");
  expect(statSync(folder).uid).toBe(0);
  rmSync(folder, { recursive: true });
});

test.runIf(isRoot)("a folder that the server's user cannot reach is refused with the reason", async () => {
  const closed = mkdtempSync(join(tmpdir(), "keyline-test-"));
  await expect(startPostgres({ dir: join(closed, "postgres") })).rejects.toThrow("may not look");
  rmSync(closed, { recursive: true });
});

test("a port that somebody else has is refused with PORT_IN_USE", async () => {
  const port = await freePort();
  const somebody = createServer().listen({ port, host });
  await expect(startPostgres({ port })).rejects.toMatchObject({ code: "PORT_IN_USE" });
  somebody.close();
});
