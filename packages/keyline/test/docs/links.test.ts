import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../../..");
const below = async (folder: string): Promise<string[]> => (await readdir(join(root, folder), { recursive: true })).sort();
const guides = (await below("docs")).filter((path) => path.endsWith(".md")).map((path) => join("docs", path));
const packages = (await readdir(join(root, "packages"))).map((name) => `packages/${name}/README.md`);
const others = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "bench/README.md", "packages/keyline/test/faults/README.md"];
const documents = [...others, ...packages, ...guides];
const sources = await below("packages/keyline/src");
const textOf = (file: string): string => readFileSync(join(root, file), "utf8");

/** The targets of links, and of references like `[o]: path`, that lead to files of this repository. */
function linksOf(text: string): readonly string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return links.flatMap(([, target = ""]) => (/^([a-z]+:|#)/.test(target) ? [] : [target.replace(/#.*$/, "")]));
}

test("there are documents, with links to files", () => {
  expect(documents.length).toBeGreaterThan(25);
  expect(linksOf(textOf("README.md")).length).toBeGreaterThan(30);
});

test.each(documents)("%s links to files that are there", (file) => {
  expect(linksOf(textOf(file)).filter((target) => !existsSync(join(root, dirname(file), target)))).toEqual([]);
});

/** Headings as their anchors; what looks like one in a program is none. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = text.replaceAll(/^```.*?^```/gms, "").matchAll(/^#+ (.*)$/gm);
  return new Set(
    Array.from(headings, ([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .trim()
        .replaceAll(" ", "-"),
    ),
  );
}

test.each(documents)("%s links to headings that are there", (file) => {
  const targets = [...textOf(file).matchAll(/\]\(([^)\s:]*)#([^)\s]+)\)/g)].filter(([, path = ""]) => path === "" || path.endsWith(".md"));
  const isThere = (path: string, anchor: string): boolean => anchorsOf(textOf(path === "" ? file : join(dirname(file), path))).has(anchor);
  expect(targets.filter(([, path = "", anchor = ""]) => !isThere(path, anchor)).map(([link]) => link)).toEqual([]);
});

test("every file that the internals name is there", () => {
  const named = [...textOf("docs/internals.md").matchAll(/`([a-z/-]+\.(?:ts|lua))`/g)].map(([, name = ""]) => name);
  expect(named.length).toBeGreaterThan(50);
  // A name without its folder is a script's, a file of the soak, or a test of faults.
  const isThere = (name: string): boolean =>
    sources.some((path) => path === name || (!name.includes("/") && path.endsWith(`/${name}`))) ||
    ["soak", "test/faults"].some((folder) => existsSync(join(root, "packages/keyline", folder, name)));
  expect(named.filter((name) => !isThere(name))).toEqual([]);
});

test("the folders that the contributors' guide names are there", () => {
  const rows = [...textOf("CONTRIBUTING.md").matchAll(/^\| `([a-z/]+)`/gm)].map(([, name = ""]) => name);
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter((name) => !existsSync(join(root, name)) && !existsSync(join(root, "packages/keyline/src", name)))).toEqual([]);
});
