import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, "utf8");

interface Manifest {
  readonly private?: boolean;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const packages = globSync("packages/*/package.json", { cwd: root });

test.each(packages)("%s runs nothing when it is installed", (path) => {
  const { private: isPrivate = false, scripts = {} } = JSON.parse(read(path)) as Manifest;
  expect(Object.keys(scripts)).toEqual(isPrivate ? [] : ["build"]);
});

test("the library brings three packages along, and no other", () => {
  const { dependencies = {} } = JSON.parse(read("packages/keyline/package.json")) as Manifest;
  expect(Object.keys(dependencies)).toEqual(["@standard-schema/spec", "croner", "iovalkey"]);
});

test("what is installed is locked by its hash, and of it one package runs a script, by name", () => {
  interface Locked {
    readonly integrity?: string;
    readonly link?: boolean;
    readonly inBundle?: boolean;
  }
  const lock = JSON.parse(read("package-lock.json")) as { readonly packages: Readonly<Record<string, Locked>> };
  const fetched = Object.entries(lock.packages).filter(
    ([path, { link, inBundle }]) => path.includes("node_modules/") && !link && !inBundle,
  );
  expect(fetched.length).toBeGreaterThan(100);
  expect(fetched.filter(([, { integrity = "" }]) => !integrity.startsWith("sha512-")).map(([path]) => path)).toEqual([]);
  const { allowScripts } = JSON.parse(read("package.json")) as { readonly allowScripts: Readonly<Record<string, boolean>> };
  expect(allowScripts).toEqual({ node: true });
});

test("no code runs text, and no connection that carries anything is taken unchecked", () => {
  const sources = globSync("{packages/*/src,apps}/**/*.ts", { cwd: root }).filter((path) => !/\/(?:test|dist)\//.test(path));
  expect(sources.length).toBeGreaterThan(200);
  const found = (pattern: RegExp): string[] => sources.filter((path) => pattern.test(read(path)));
  expect(found(/(?<!\.)\beval\(|new Function\(|node:vm\b/)).toEqual([]);
  // It asks whether anybody there speaks TLS, and says nothing.
  expect(found(/rejectUnauthorized/)).toEqual(["packages/keyline/src/valkey/client/tls-probe.ts"]);
});
