import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildPage } from "../src/build/build-page.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keyline-page-"));
  writeFileSync(join(folder, "index.html"), '<!doctype html><title>Page</title><script type="module" src="/main.ts"></script>');
  writeText("first");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeText(text: string): void {
  writeFileSync(join(folder, "main.ts"), `document.title = ${JSON.stringify(text)} as string;\n`);
}

function scriptOf(build: string): string {
  const assets = join(build, "assets");
  return readdirSync(assets)
    .filter((name) => name.endsWith(".js"))
    .map((name) => readFileSync(join(assets, name), "utf8"))
    .join("\n");
}

test("a page is built once from the same sources, and again when one has changed", async () => {
  const first = await buildPage({ folder, path: "/page" });
  expect(scriptOf(first)).toContain("first");
  const { ino, mtimeMs } = statSync(join(first, "index.html"));
  expect(await buildPage({ folder, path: "/page" })).toBe(first);
  expect(statSync(join(first, "index.html"))).toMatchObject({ ino, mtimeMs });

  writeText("second");
  const second = await buildPage({ folder, path: "/page" });
  expect(second).not.toBe(first);
  expect(scriptOf(second)).toContain("second");

  writeText("first");
  expect(await buildPage({ folder, path: "/page" })).toBe(first);
  expect(statSync(join(first, "index.html"))).toMatchObject({ ino, mtimeMs });
});

test("the process that asks for a page does not take what building one takes", async () => {
  const before = process.memoryUsage.rss();
  await buildPage({ folder, path: "/page" });
  // Vite within this process takes several hundred.
  expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
});
