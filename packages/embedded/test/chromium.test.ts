import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { findChromium } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));
const program = join(folder, "chromium");
writeFileSync(program, "#!/bin/sh\n");
chmodSync(program, 0o755);

afterEach(() => {
  vi.unstubAllEnvs();
});

test("CHROMIUM_PATH wins over PATH", async () => {
  vi.stubEnv("CHROMIUM_PATH", program);
  expect(await findChromium()).toBe(program);
});

test("a CHROMIUM_PATH that is no program is an error, not passed over", async () => {
  vi.stubEnv("CHROMIUM_PATH", join(folder, "missing"));
  await expect(findChromium()).rejects.toMatchObject({ code: "CHROMIUM_NOT_FOUND" });
});

test("one on PATH is found", async () => {
  vi.stubEnv("CHROMIUM_PATH", "");
  vi.stubEnv("PATH", folder);
  expect(await findChromium()).toBe(program);
  rmSync(folder, { recursive: true });
});

test.runIf(process.platform === "linux")("where it cannot be installed, the error names the command", async () => {
  vi.stubEnv("CHROMIUM_PATH", "");
  vi.stubEnv("PATH", "/nowhere");
  await expect(findChromium()).rejects.toThrow("install chromium with the package manager of this system");
});
