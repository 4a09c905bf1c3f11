import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, expect, inject, onTestFinished, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
const program = join(root, "apps/main.ts");
const timeout = 25_000;
/** Whatever starts first builds the pages. */
const buildTimeout = 240_000;
const mostMegabytes = 200;

interface Started {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly exit: Promise<number | null>;
  output(): string;
}

const started: Started[] = [];
afterEach(() => {
  for (const { pid } of started.splice(0)) if (isGroupAlive(pid)) process.kill(-pid, "SIGKILL");
});

function start(env: Record<string, string>, main = program): Started {
  let output = "";
  const child = spawn(process.execPath, ["--conditions=development", "--disable-warning=ExperimentalWarning", main], {
    // A group of its own: what is left of it when it has ended was left behind.
    detached: true,
    env: { ...process.env, VALKEY_URL: "", DATABASE_URL: "", HOST: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const exit = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  if (child.pid === undefined) throw new Error("No process was started");
  const running = { process: child, pid: child.pid, exit, output: () => output };
  started.push(running);
  return running;
}

function isGroupAlive(pid: number): boolean {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}

/** Undefined where there is no /proc. */
function residentMegabytes(pid: number): number | undefined {
  const file = `/proc/${pid}/status`;
  return existsSync(file) ? Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(file, "utf8"))?.[1]) / 1_000 : undefined;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("connect", () => socket.destroy());
    socket.on("close", (hadError) => resolve(!hadError));
    socket.on("error", () => undefined);
  });
}

/** Of a WebSocket that a page of this origin opens. */
function statusOfUpgrade(url: string, origin: string): Promise<number | undefined> {
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "x".repeat(22) + "==",
  };
  return new Promise((resolve, reject) => {
    const request = get(`${url}/v1/ws`, { headers: { ...upgrade, origin } });
    for (const event of ["upgrade", "response"] as const) {
      request.on(event, ({ statusCode }: IncomingMessage) => {
        request.destroy();
        resolve(statusCode);
      });
    }
    request.on("error", reject);
  });
}

/** The operators' page is there with what it runs, and knows what the applications use. */
async function expectConsole(url: string): Promise<void> {
  const page = await (await fetch(url)).text();
  expect(page).toContain('<base href="/console/" />');
  const script = await fetch(`${url}/${/assets\/[\w.-]+\.js/.exec(page)?.[0]}`);
  expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(await (await fetch(`${url}/api/me`)).json()).toMatchObject({ role: "operator", who: "loopback", hasPostgres: true });
  const things = async (): Promise<string[]> => {
    const { items } = (await (await fetch(`${url}/api/overview`)).json()) as { readonly items: { kind: string; name: string }[] };
    return items.map(({ kind, name }) => `${kind} ${name}`);
  };
  const used = ["queue orders", "channel feed:channels", "stream Reviews"];
  await expect.poll(things, { timeout }).toEqual(expect.arrayContaining(used));
  expect((await fetch(`${url}/api/queues/orders/pause`, { method: "POST", headers: { origin: "http://example.com" } })).status).toBe(403);
}

async function lineOf({ output }: Started, pattern: RegExp, within = timeout): Promise<string> {
  await expect.poll(output, { timeout: within }).toMatch(pattern);
  return pattern.exec(output())?.[1] ?? "";
}

test("brings up everything with one command, and leaves nothing behind when it is told to end", async () => {
  const main = start({ PORT: "0" });
  const url = await lineOf(main, /^Shop\s+(http:\S+)\/shop$/m, buildTimeout);
  const ports = [await lineOf(main, /^Valkey\s+127\.0\.0\.1:(\d+)/m), await lineOf(main, /^PostgreSQL\s+127\.0\.0\.1:(\d+)/m)].map(Number);
  expect(await lineOf(main, /^Start\s+(http:\S+)\/$/m)).toBe(url);
  expect(await (await fetch(`${url}/`)).text()).toContain("<title>Keyline: queues, channels and streams</title>");
  const placed = await fetch(`${url}/api/shop/orders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"details":"a lamp"}',
  });
  expect(await placed.json()).toEqual({ orderId: 1, status: "new" });
  await expect.poll(async () => (await fetch(`${url}/api/shop/orders/1`)).json(), { timeout }).toMatchObject({ status: "processed" });
  expect(await lineOf(main, /^Feed\s+(http:\S+)\/feed$/m)).toBe(url);
  expect(await (await fetch(`${url}/api/feed/channels`)).json()).toMatchObject({ channels: [{ name: "tech_news" }, {}, {}, {}] });
  expect(await lineOf(main, /^Reviews\s+(http:\S+)\/reviews$/m)).toBe(url);
  const counted = { reviews: [{}, {}, { userId: "user_1", reactions: 1, responses: 1 }] };
  await expect.poll(async () => (await fetch(`${url}/api/reviews`)).json(), { timeout }).toMatchObject(counted);
  expect(await lineOf(main, /^Console\s+(http:\S+)\/console, for this machine alone$/m)).toBe(url);
  await expectConsole(`${url}/console`);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(await statusOfUpgrade(url, new URL(url).origin)).toBe(101);
  expect(await statusOfUpgrade(url, "http://example.com")).toBe(403);
  const memory = residentMegabytes(main.pid);
  if (memory !== undefined) expect(memory).toBeLessThan(mostMegabytes);

  main.process.kill("SIGTERM");
  expect(await main.exit).toBe(0);
  expect(main.output()).toMatch(/Stopped\.\s*$/);
  expect(isGroupAlive(main.pid)).toBe(false);
  for (const port of ports) expect(await isListening(port)).toBe(false);
}, 300_000);

test("uses the servers that it is told of, and its workers end when it is killed", async () => {
  const main = start({ PORT: "0", VALKEY_URL: inject("valkeyUrl"), DATABASE_URL: inject("postgresUrl") });
  await lineOf(main, /^Shop\s+(http:\S+)\/shop$/m, buildTimeout);
  expect(main.output()).toContain("(VALKEY_URL)");
  expect(main.output()).not.toContain(new URL(inject("postgresUrl")).password);
  main.process.kill("SIGKILL");
  await main.exit;
  await expect.poll(() => isGroupAlive(main.pid), { timeout }).toBe(false);
}, 300_000);

test("says in one line that a setting cannot be used, and not what it is", async () => {
  const main = start({ PORT: "0", DATABASE_URL: "secret" });
  expect(await main.exit).toBe(1);
  expect(main.output().trim().split("\n")).toEqual(["Starting...", "DATABASE_URL is not a URL"]);
});

test("says in one line that the port is in use", async () => {
  const other = createServer().listen({ port: 0, host: "127.0.0.1" });
  await once(other, "listening");
  const address = other.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const main = start({ PORT: String(port) });
  expect(await main.exit).toBe(1);
  expect(main.output().trim()).toBe(`Port ${port} is in use: stop what uses it, or set PORT to another one.`);
  other.close();
});

/** The applications in a folder of their own, where no page of theirs was built yet. */
function copyApplications(): string {
  const folder = mkdtempSync(join(tmpdir(), "keyline-apps-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(root, "apps"), join(folder, "apps"), { recursive: true, filter: (source) => basename(source) !== "dist" });
  for (const name of ["node_modules", "tsconfig.json"]) symlinkSync(join(root, name), join(folder, name));
  return join(folder, "apps");
}

const pages = ["start", "shop", "feed", "reviews"];

/** What is built of the pages: each file and folder, and when it was written. One that is built in vain leaves its mark on the folder of the builds. */
function builtFiles(applications: string): Record<string, number> {
  const folders = pages.map((page) => join(applications, page, "page/dist")).filter((folder) => existsSync(folder));
  const files = folders.flatMap((folder) => ["", ...readdirSync(folder, { recursive: true })].map((file) => join(folder, String(file))));
  return Object.fromEntries(files.map((file) => [file, statSync(file).mtimeMs]));
}

test(
  "builds the pages at its first start and is small all the same, and finds them at the next",
  async () => {
    const applications = copyApplications();
    expect(builtFiles(applications)).toEqual({});
    const servers = { PORT: "0", VALKEY_URL: inject("valkeyUrl"), DATABASE_URL: inject("postgresUrl") };

    const first = start(servers, join(applications, "main.ts"));
    const url = await lineOf(first, /^Shop\s+(http:\S+)\/shop$/m, buildTimeout);
    for (const page of pages) expect(readdirSync(join(applications, page, "page/dist")), page).toHaveLength(1);
    expect(await (await fetch(`${url}/shop`)).text()).toContain("<script");
    const memory = residentMegabytes(first.pid);
    if (memory !== undefined) expect(memory).toBeLessThan(mostMegabytes);
    first.process.kill("SIGTERM");
    expect(await first.exit).toBe(0);
    const built = builtFiles(applications);

    const second = start(servers, join(applications, "main.ts"));
    await lineOf(second, /^Shop\s+(http:\S+)\/shop$/m, buildTimeout);
    second.process.kill("SIGTERM");
    expect(await second.exit).toBe(0);
    expect(builtFiles(applications)).toEqual(built);
  },
  2 * buildTimeout,
);
