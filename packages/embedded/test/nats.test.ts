import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { startNats } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("where no NATS server is and none can be had, the error names the command", async () => {
  vi.stubEnv("PATH", "/nowhere");
  vi.stubEnv("KEYLINE_CACHE", folder);
  await expect(startNats()).rejects.toMatchObject({
    code: "NATS_NOT_FOUND",
    message: expect.stringMatching(/install.* nats-server/) as string,
  });
});
