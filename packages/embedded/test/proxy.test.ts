import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { startProxy } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test("where a proxy is not and cannot be had, the error names the command", async () => {
  vi.stubEnv("PATH", "/nowhere");
  vi.stubEnv("KEYLINE_CACHE", folder);
  await expect(startProxy({ program: "haproxy", configuration: () => "" })).rejects.toMatchObject({
    code: "PROXY_NOT_FOUND",
    message: expect.stringMatching(/install.* haproxy/) as string,
  });
});

test("a configuration that the program does not take is said in its own words", async () => {
  const configuration = (): string => "nonsense on;";
  await expect(startProxy({ program: "nginx", configuration })).rejects.toMatchObject({
    code: "START_FAILED",
    message: expect.stringContaining('unknown directive "nonsense"') as string,
  });
});
