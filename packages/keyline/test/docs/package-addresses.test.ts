import { globSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly repository?: unknown;
  readonly homepage?: unknown;
  readonly bugs?: unknown;
  readonly engines?: unknown;
  readonly bin?: Readonly<Record<string, string>>;
}

const address = "https://github.com/keyline-queue/keyline";
const root = join(import.meta.dirname, "../../../..");
const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest;
const folders = (await readdir(join(root, "packages"))).map((name) => `packages/${name}`);
const published = folders.filter((folder) => manifestOf(folder).private !== true);

test("there are published packages", () => {
  expect(published).toContain("packages/keyline");
  expect(published.length).toBeGreaterThanOrEqual(4);
});

test.each(published)("%s names where it comes from", (folder) => {
  const { repository, homepage, bugs } = manifestOf(folder);
  expect(repository).toEqual({ type: "git", url: `git+${address}.git`, directory: folder });
  expect(homepage).toBe(folder === "packages/keyline" ? `${address}#readme` : `${address}/tree/main/${folder}#readme`);
  expect(bugs).toEqual({ url: `${address}/issues` });
});

test.each(published)("%s needs no package that is not published", (folder) => {
  const { dependencies, peerDependencies } = manifestOf(folder);
  const unpublished = folders.map(manifestOf).filter((manifest) => manifest.private);
  const sources = globSync(`${folder}/src/**/*.ts`, { cwd: root }).map((path) => readFileSync(join(root, path), "utf8"));
  expect(sources.length).toBeGreaterThan(0);
  expect(unpublished.length).toBeGreaterThan(0);
  for (const { name } of unpublished) {
    expect(Object.keys({ ...dependencies, ...peerDependencies })).not.toContain(name);
    expect(sources.filter((text) => text.includes(`"${name}`))).toEqual([]);
  }
});

test("all published packages need the same Node", () => {
  const [first, ...others] = published.map((folder) => manifestOf(folder).engines);
  expect(first).toEqual({ node: expect.stringMatching(/^>=\d+\.\d+$/) as string });
  for (const engines of others) expect(engines).toEqual(first);
});

test("what a package offers as a command begins as a program of Node", () => {
  const programs = published.flatMap((folder) =>
    Object.values(manifestOf(folder).bin ?? {}).map((path) => join(folder, path.replace("./dist/", "src/").replace(/\.js$/, ".ts"))),
  );
  expect(programs.length).toBeGreaterThan(0);
  for (const program of programs) expect(readFileSync(join(root, program), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
});
