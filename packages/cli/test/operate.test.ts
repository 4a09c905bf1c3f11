import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, chmodSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { eventually, gate, openStage } from "../../keyline/test/support/stage.ts";
import { ended, hasTerminals, keyline, objects, plain, printed, start, startOnTerminal } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

test("the overview puts first what is not as it should be, and --check says so with its exit code", async () => {
  const { app, run } = shop;
  const worked = app.queue<number>("worked");
  const { opened, open } = gate();
  const worker = worked.work(() => opened, { concurrency: 3 });
  const { id } = await worked.add(1);
  await app.stream<number>("events").append(1);
  await shop.known();
  const healthy = objects(await run("status", "--check", "--json"))[0];
  expect(healthy).toMatchObject({
    healthy: true,
    stores: [
      { store: "valkey", state: "ok" },
      { store: "postgres", state: "ok" },
    ],
  });

  await app.queue<number>("orders", { transactional: true }).addMany([{ data: 1 }, { data: 2 }]);
  await eventually("they are on Valkey", async () => (await app.queue("orders", { transactional: true }).counts()).waiting === 2);
  await shop.known();
  const [status, json, unchecked, queues] = await Promise.all([
    run("status", "--check"),
    run("status", "--check", "--json"),
    run("status"),
    run("queues", "--json=name,transactional,waiting,workers"),
  ]);
  expect(status.code).toBe(3);
  expect(status.stdout.split("\n")[0]).toMatch(/^queue\torders\t2\t0\t0\t0\t\S+Z\t.*\t0\t2 wait, and it has no worker$/);
  expect(json.code).toBe(3);
  expect(objects(json)).toMatchObject([
    {
      healthy: false,
      items: [
        { kind: "queue", name: "orders", transactional: true, waiting: 2, workers: 0, problems: [{ code: "NO_WORKER" }] },
        { kind: expect.any(String) as string },
        { kind: expect.any(String) as string },
      ],
    },
  ]);
  expect(unchecked.code).toBe(0);
  expect(objects(queues)).toEqual([
    { name: "orders", transactional: true, waiting: 2, workers: 0 },
    { name: "worked", transactional: false, waiting: 0, workers: 1 },
  ]);
  const [told] = objects(await run("workers", "worked", "--json"));
  expect(told).toMatchObject({ pid: process.pid, concurrency: 3, running: 1, jobs: [{ id, attempt: 1 }] });
  expect((await run("workers", "worked")).stdout).toMatch(new RegExp(`\\t${process.pid}\\t.*\\t3\\t1\\t${id} for \\d+`));
  open();
  await worker.stop();
});

test("servers that the command line names are used, before or behind the command, whatever the environment says", async () => {
  const { env, app } = shop;
  const elsewhere = { VALKEY_URL: "valkey://127.0.0.1:1", DATABASE_URL: "postgres://127.0.0.1:1/nothing", KEYLINE_PREFIX: "other" };
  const flags = ["--valkey", env.VALKEY_URL ?? "", "--postgres", env.DATABASE_URL ?? "", "--prefix", env.KEYLINE_PREFIX ?? ""];
  const added = await keyline(["add", "by-flags", "1", "--transactional", "--id", "one", "--json=id,added", ...flags], { env: elsewhere });
  expect(added).toEqual({ code: 0, stdout: '{"id":"one","added":true}\n', stderr: "" });
  const byFlags = app.queue<number>("by-flags", { transactional: true });
  expect(await byFlags.job("one")).toMatchObject({ id: "one", data: 1 });
  const listed = await keyline([...flags, "jobs", "by-flags", "--json=id"], { env: {} });
  expect(listed).toEqual({ code: 0, stdout: '{"id":"one"}\n', stderr: "" });
  await byFlags.cancel("one");
});

test("in a pipe it is watched line by line until Ctrl-C", async () => {
  const { env } = shop;
  const piped = start(["status", "--watch", "0.2", "--json=healthy"], { env });
  const result = ended(piped);
  await printed(piped, /\n.*\n/);
  piped.kill("SIGINT");
  const { code, stdout, stderr } = await result;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^(?:\{"healthy":(?:true|false)\}\n){2,}$/);
});

test.runIf(hasTerminals)("on a terminal it is watched in its place until Ctrl-C", async () => {
  const { env } = shop;
  const screen = startOnTerminal(["status", "--watch", "0.2"], { env });
  const seen = await printed(screen, /(?:\[H\S\[2J[^]*){2}KIND/);
  expect(plain(seen)).toMatch(/Valkey \S+ \d+\.\d ms {3}PostgreSQL \S+ \d+\.\d ms\r\norders: 2 wait, and it has no worker\r\nKIND/);
  // What Ctrl-C is on a terminal.
  screen.stdin?.write("\u0003");
  expect((await once(screen, "close"))[0]).toBe(0);
});

test("doctor names what endangers data, with what to do, and ends with 3", async () => {
  const { run, env } = shop;
  const [found, json, ignored, away] = await Promise.all([
    run("doctor"),
    run("doctor", "--json"),
    run("doctor", "--ignore", "NO_PERSISTENCE", "FSYNC_OFF", "--json"),
    keyline(["doctor"], { env: { ...env, VALKEY_URL: "valkey://127.0.0.1:1" } }),
  ]);
  expect(found.code).toBe(3);
  expect(found.stdout).toMatch(/^Valkey\tValkey \d/);
  expect(found.stdout).toMatch(/NO_PERSISTENCE {2}Valkey writes nothing to disk.*\n {2}To do: set appendonly to yes/);
  expect(objects(json)[0]).toMatchObject({ healthy: false, valkey: { state: "ok" }, postgres: { state: "ok" } });
  expect(objects(ignored)[0]).toMatchObject({ healthy: true, warnings: [] });
  expect(ignored.code).toBe(0);
  expect(away.code).toBe(3);
  expect(away.stdout).toMatch(/^Valkey\taway/);
});

test("migrate says what there is to do, and does it", async () => {
  const stage = await openStage();
  const env = { VALKEY_URL: stage.valkeyUrl, DATABASE_URL: stage.databaseUrl };
  const dry = objects(await keyline(["migrate", "--dry-run", "--json"], { env }))[0];
  expect(dry).toEqual({ at: 0, newest: expect.any(Number) as number, pending: dry?.["newest"] });
  const refused = await keyline(["add", "orders", "1", "--transactional"], { env });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("Run: keyline migrate") as string });
  expect(await keyline(["migrate"], { env })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/is at version \d+, the newest/) as string,
  });
  expect(objects(await keyline(["migrate", "--dry-run", "--json"], { env }))).toEqual([
    { at: dry?.["newest"], newest: dry?.["newest"], pending: 0 },
  ]);
  await stage.close();
});

test("dev prints two URLs that work, and leaves nothing behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keyline-dev-"));
  chmodSync(folder, 0o1777);
  const dev = start(["dev"], { env: { TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: "1" } });
  const urls = await printed(dev, /\n.*\n/);
  const [, valkey = "", postgres = ""] = /^export VALKEY_URL='(.+)'\nexport DATABASE_URL='(.+)'\n$/.exec(urls) ?? [];
  const app = new Keyline({ valkey, postgres });
  expect(await app.queue("orders", { transactional: true }).add(1)).toMatchObject({ added: true });
  await app.close();
  dev.kill("SIGINT");
  expect(await once(dev, "close")).toEqual([0, null]);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
}, 120_000);

/** The servers' data and sockets are in there, and nothing else. */
function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "keyline-dev-"));
  chmodSync(folder, 0o1777);
  return folder;
}

/** Those that it has printed the addresses of. */
async function whichAnswer(printedUrls: string): Promise<string[]> {
  const ports = [...printedUrls.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  expect(ports).toHaveLength(2);
  const answers = await Promise.all(
    ports.map(async (port) => {
      const socket = connect(port, "127.0.0.1");
      return once(socket, "connect")
        .then(
          () => [String(port)],
          () => [],
        )
        .finally(() => socket.destroy());
    }),
  );
  return answers.flat();
}

test.each(["SIGTERM", "SIGHUP"] as const)("dev leaves no server and no folder behind when it gets %s", async (signal) => {
  const folder = openFolder();
  const dev = start(["dev", "--no-migrate"], { env: { TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: "1" } });
  const urls = await printed(dev, /\n.*\n/);
  expect(await whichAnswer(urls)).toHaveLength(2);
  dev.kill(signal);
  expect(await once(dev, "close")).toEqual([0, null]);
  expect(await whichAnswer(urls)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

test("dev that is stopped before its servers have started stops them too", async () => {
  const folder = openFolder();
  const dev = start(["dev"], { env: { TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: "1" } });
  await printed(dev, /\n/, "stderr");
  dev.kill("SIGINT");
  expect(await once(dev, "close")).toEqual([130, null]);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

test.runIf(hasTerminals)("Ctrl-C on a terminal reaches dev and not its servers, which it stops in order", async () => {
  const folder = openFolder();
  const dev = startOnTerminal(["dev", "--no-migrate"], { env: { TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: "1" }, columns: 200 });
  const said = plain(await printed(dev, /Ctrl-C stops both servers/));
  const urls = (said.match(/^export .*$/gm) ?? []).join("\n");
  expect(await whichAnswer(urls)).toHaveLength(2);
  dev.stdin?.write("\u0003");
  expect((await once(dev, "close"))[0]).toBe(0);
  expect(await whichAnswer(urls)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

test("bench measures, and leaves nothing behind in either store, also when it is stopped", async () => {
  const { env, valkey, pool, prefix } = shop;
  const left = async (): Promise<unknown> => {
    const keys = await valkey.keys(`${prefix}:bench*`);
    const { rows: tables } = await pool.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'keyline' AND table_type = 'BASE TABLE'",
    );
    const counts = tables.map(async ({ name }) =>
      pool.query(`SELECT one::text FROM keyline."${name}" AS one WHERE one::text LIKE '%bench-%'`),
    );
    return { keys, rows: (await Promise.all(counts)).flatMap(({ rows }) => rows as unknown[]) };
  };
  const stopped = start(["bench", "--seconds", "0.1", "--json"], { env });
  const stoppedResult = ended(stopped);
  void printed(stopped, /addMany/).then(
    () => stopped.kill("SIGINT"),
    () => undefined,
  );
  const terminated = start(["bench", "--seconds", "0.1", "--json"], { env });
  const terminatedResult = ended(terminated);
  void printed(terminated, /transactional queue: add/).then(
    () => terminated.kill("SIGTERM"),
    () => undefined,
  );
  const [measured, { code, stderr }, other] = await Promise.all([
    keyline(["bench", "--seconds", "0.05", "--json"], { env }),
    stoppedResult,
    terminatedResult,
  ]);
  expect(measured).toMatchObject({ code: 0, stderr: "" });
  expect(objects(measured).map(({ measure }) => measure)).toEqual(
    expect.arrayContaining(["Valkey: round trip", "plain queue: add", "PostgreSQL: round trip", "transactional queue: work and settle"]),
  );
  for (const { count } of objects(measured)) expect(count).toBeGreaterThan(0);
  expect({ code, stderr }).toEqual({ code: 130, stderr: "It was stopped by SIGINT.\n" });
  expect(other).toMatchObject({ code: 143, stderr: "It was stopped by SIGTERM.\n" });
  expect(await left()).toEqual({ keys: [], rows: [] });
});
