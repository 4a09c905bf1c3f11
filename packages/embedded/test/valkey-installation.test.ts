import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { inspectValkey } from "../src/valkey/installation.ts";

const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
  vi.unstubAllEnvs();
});

function programThatSays(answer: string): string {
  const file = join(folder, "valkey-server");
  writeFileSync(file, `#!/bin/sh\necho "${answer}"\n`);
  chmodSync(file, 0o755);
  return file;
}

test("Redis under Valkey's name is refused", async () => {
  const redis = programThatSays("Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0");
  await expect(inspectValkey(redis)).rejects.toThrow("which is not Valkey");
});

test("a Valkey older than 8 is refused", async () => {
  const old = programThatSays("Valkey server v=7.2.8 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0");
  await expect(inspectValkey(old)).rejects.toThrow("it is Valkey 7.2.8, and a private server is 8 or newer");
});

test("Valkey 8 and newer are taken, two-digit versions too", async () => {
  const eight = programThatSays("Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0");
  expect(await inspectValkey(eight)).toMatchObject({ version: "8.0.1", source: `valkey-server 8.0.1 from ${folder}` });
  const later = programThatSays("Valkey server v=10.1.0 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0");
  expect(await inspectValkey(later)).toMatchObject({ version: "10.1.0" });
});

test("a fake on PATH is passed over, and the log says why", async () => {
  programThatSays("Redis server v=7.2.4 sha=00000000:0");
  vi.stubEnv("PATH", `${folder}:/usr/sbin:/usr/bin:/sbin:/bin`);
  // What was found once in this process is not looked for again.
  vi.resetModules();
  const { findValkey } = await import("../src/valkey/installation.ts");
  const lines: string[] = [];
  const valkey = await findValkey((line) => lines.push(line));
  expect(valkey.source).not.toContain(folder);
  expect(lines[0]).toContain(`${join(folder, "valkey-server")} is not used: it says "Redis server v=7.2.4`);
}, 120_000);
