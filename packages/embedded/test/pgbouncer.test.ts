import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { startPgBouncer } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));
// For whoever runs it, who is not root.
chmodSync(folder, 0o755);

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("where no PgBouncer is and none can be had, the error names the command", async () => {
  vi.stubEnv("PATH", "/nowhere");
  vi.stubEnv("KEYLINE_CACHE", folder);
  await expect(startPgBouncer({ target: "postgres://nobody@127.0.0.1:1/none" })).rejects.toMatchObject({
    code: "PGBOUNCER_NOT_FOUND",
    message: expect.stringMatching(/install.* pgbouncer/) as string,
  });
});
