import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { startValkey } from "../src/index.ts";
import { freePort, host } from "../src/process/ports.ts";
import { request } from "../src/valkey/resp.ts";
import { nothingIsLeftOf } from "./eventually.ts";

vi.setConfig({ testTimeout: 60_000 });

test("a server answers at its URL, says where it came from, and is gone with its folder after stop", async () => {
  const lines: string[] = [];
  const valkey = await startValkey({ log: (line) => lines.push(line) });
  expect(valkey.url).toBe(`valkey://127.0.0.1:${valkey.port}`);
  expect(await request(valkey, "PING")).toBe("PONG");
  expect(String(await request(valkey, "INFO", "server"))).toContain(`valkey_version:${valkey.version}`);
  expect(lines.at(-1)).toBe(`Valkey: ${valkey.source}, on port ${valkey.port}`);
  expect(statSync(valkey.dir).mode & 0o077).toBe(0);
  await valkey.stop();
  expect(nothingIsLeftOf(valkey)).toBe(true);
});

test("several servers run side by side, each with its own data", async () => {
  const servers = await Promise.all(Array.from({ length: 5 }, () => startValkey()));
  expect(new Set(servers.map((server) => server.port)).size).toBe(5);
  await Promise.all(servers.map((server, index) => request(server, "SET", "which", String(index))));
  const values = await Promise.all(servers.map((server) => request(server, "GET", "which")));
  expect(values).toEqual(["0", "1", "2", "3", "4"]);
  await Promise.all(servers.map((server) => server.stop()));
  expect(servers.every(nothingIsLeftOf)).toBe(true);
});

test("a restart keeps the port and, without persistence, loses the data", async () => {
  const valkey = await startValkey();
  const { port, pid } = valkey;
  await request(valkey, "SET", "key", "value");
  await valkey.kill();
  await expect(request(valkey, "PING")).rejects.toMatchObject({ code: "REQUEST_FAILED" });
  await valkey.restart();
  expect(valkey.port).toBe(port);
  expect(valkey.pid).not.toBe(pid);
  expect(await request(valkey, "GET", "key")).toBe(null);
  await valkey.restart();
  expect(await request(valkey, "PING")).toBe("PONG");
  await valkey.stop();
});

test("with persistence the data outlives a kill", async () => {
  const valkey = await startValkey({ persistence: true });
  await request(valkey, "SET", "key", "value");
  await valkey.kill();
  await valkey.restart();
  expect(await request(valkey, "GET", "key")).toBe("value");
  await valkey.stop();
  expect(nothingIsLeftOf(valkey)).toBe(true);
});

test("a folder that the caller names is kept, and its data are there at the next start", async () => {
  const dir = mkdtempSync(join(tmpdir(), "keyline-test-"));
  try {
    const first = await startValkey({ dir, persistence: true });
    await request(first, "SET", "key", "value");
    await first.stop();
    expect(existsSync(dir)).toBe(true);
    const second = await startValkey({ dir, persistence: true });
    expect(await request(second, "GET", "key")).toBe("value");
    await second.stop();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a paused server answers nothing until it is resumed, and can be stopped while paused", async () => {
  const valkey = await startValkey();
  valkey.pause();
  await expect(request({ port: valkey.port, timeoutMs: 200 }, "PING")).rejects.toMatchObject({ code: "REQUEST_FAILED" });
  valkey.resume();
  expect(await request(valkey, "PING")).toBe("PONG");
  valkey.pause();
  await valkey.stop();
  expect(nothingIsLeftOf(valkey)).toBe(true);
});

test("directives of the caller hold, a password among them, and a socket is there when asked for", async () => {
  const valkey = await startValkey({ unixSocket: true, config: { requirepass: "secret", "maxmemory-policy": "noeviction" } });
  expect(statSync(valkey.socketPath ?? "").isSocket()).toBe(true);
  await expect(request(valkey, "PING")).rejects.toThrow("NOAUTH");
  const reply = await request({ port: valkey.port, password: "secret" }, "CONFIG", "GET", "maxmemory-policy");
  expect(reply).toEqual(["maxmemory-policy", "noeviction"]);
  await valkey.stop();
});

test("a port that somebody else has is refused with PORT_IN_USE and leaves nothing behind", async () => {
  const port = await freePort();
  const somebody = createServer().listen({ port, host });
  await expect(startValkey({ port })).rejects.toMatchObject({ code: "PORT_IN_USE" });
  somebody.close();
});

test("a directive that Valkey does not know is reported with Valkey's own words", async () => {
  await expect(startValkey({ config: { nonsense: "yes" } })).rejects.toThrow(/START_FAILED|Bad directive/);
});

test("a stopped server cannot be restarted", async () => {
  const valkey = await startValkey();
  await valkey.stop();
  await expect(valkey.restart()).rejects.toMatchObject({ code: "STOPPED" });
});
