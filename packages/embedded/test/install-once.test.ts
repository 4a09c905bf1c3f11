import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cacheFolder, installOnce, osRelease } from "../src/install/cache.ts";
import { withLock } from "../src/install/lock.ts";
import { delay } from "../src/process/waiting.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keyline-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("several installations at the same time make one, and nobody sees half of it", async () => {
  const target = join(folder, "cache", "thing");
  let fills = 0;
  const install = (): Promise<void> =>
    installOnce(target, async (staging) => {
      fills++;
      writeFileSync(join(staging, "first"), "");
      await delay(50);
      expect(existsSync(target)).toBe(false);
      writeFileSync(join(staging, "second"), "");
    });
  await Promise.all([install(), install(), install()]);
  expect(fills).toBe(1);
  expect(readdirSync(target)).toEqual(["first", "second"]);
  expect(readdirSync(join(folder, "cache"))).toEqual(["thing"]);
});

test("an installation that fails leaves nothing, and the next one starts over", async () => {
  const target = join(folder, "thing");
  await expect(installOnce(target, () => Promise.reject(new Error("no network")))).rejects.toThrow("no network");
  expect(readdirSync(folder)).toEqual([]);
  await installOnce(target, (staging) => Promise.resolve(writeFileSync(join(staging, "file"), "")));
  expect(readdirSync(target)).toEqual(["file"]);
});

test("what an interrupted installation left is removed by the next one", async () => {
  const target = join(folder, "thing");
  mkdirSync(join(folder, ".thing-staging-abcdef"));
  mkdirSync(join(folder, ".other-staging-abcdef"));
  await installOnce(target, () => Promise.resolve());
  expect(readdirSync(folder)).toEqual([".other-staging-abcdef", "thing"]);
});

test("the lock of a process that died is taken over", async () => {
  const lock = join(folder, "lock");
  writeFileSync(lock, "999999999");
  expect(await withLock(lock, () => Promise.resolve("done"))).toBe("done");
  expect(existsSync(lock)).toBe(false);
});

test("the cache folder is KEYLINE_CACHE, or else lies in the user's cache folder", () => {
  vi.stubEnv("KEYLINE_CACHE", "/somewhere");
  expect(cacheFolder()).toBe("/somewhere");
  vi.stubEnv("KEYLINE_CACHE", "here");
  expect(cacheFolder()).toBe(join(process.cwd(), "here"));
  vi.stubEnv("KEYLINE_CACHE", "");
  vi.stubEnv("XDG_CACHE_HOME", "/home/me/.cache");
  expect(cacheFolder()).toBe("/home/me/.cache/keyline");
  vi.unstubAllEnvs();
});

test("os-release is read with and without quotes", () => {
  const file = join(folder, "os-release");
  writeFileSync(file, 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n');
  expect(osRelease(file)).toEqual({ ID: "debian", VERSION_ID: "12", VERSION_CODENAME: "bookworm" });
  expect(osRelease(join(folder, "missing"))).toEqual({});
});
