import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../../..");
const guide = readFileSync(join(root, "docs/guides/testing.md"), "utf8");
const blocks = [...guide.matchAll(/^```ts vitest\n(.*?)^```$/gms)].map((match) => match[1] ?? "");

const config = `export default {
  resolve: { conditions: ["development"] },
  ssr: { resolve: { conditions: ["development"] } },
  test: { include: ["*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
};`;

test("the tests in the guide have the right types and pass", async () => {
  expect(blocks.length).toBeGreaterThan(0);
  const folder = mkdtempSync(join(import.meta.dirname, ".tmp-"));
  writeFileSync(join(folder, "vitest.config.ts"), config);
  blocks.forEach((text, index) => writeFileSync(join(folder, `guide-${index}.test.ts`), text));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(root, "tsconfig.json"), include: ["*.test.ts"] }));
  const types = await run([join(root, "node_modules/typescript/bin/tsc"), "--noEmit", "-p", folder]);
  const tests = await run([join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", folder]);
  rmSync(folder, { recursive: true });
  expect(types).toEqual({ code: 0, output: "" });
  expect(tests, tests.output).toMatchObject({ code: 0 });
  expect(tests.output).toMatch(/Tests +1 passed/);
}, 250_000);

function run(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    // Not as a part of the run that this test belongs to.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST")));
    execFile(process.execPath, [...args], { timeout: 120_000, env: { ...env, NO_COLOR: "1" } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
  });
}
