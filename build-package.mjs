// Builds the package in whose folder npm runs this: compiles src to dist, and brings along what it reads at run time.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const here = process.cwd();
const dist = join(here, "dist");
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);

const config = join(dist, "tsconfig.json");
writeFileSync(
  config,
  JSON.stringify({
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      stripInternal: true,
      sourceMap: true,
      rootDir: join(here, "src"),
      outDir: dist,
      typeRoots: [join(root, "node_modules/@types")],
      customConditions: [],
    },
    include: [join(here, "src")],
    exclude: [],
  }),
);
execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", config], { stdio: "inherit" });
rmSync(config);

// What is marked as internal is for other modules of the package: a user who sees it would build on it.
const leaking = globSync("**/*.d.ts", { cwd: dist }).filter((file) => readFileSync(join(dist, file), "utf8").includes("@internal"));
if (leaking.length > 0) throw new Error(`These declarations show what is internal: ${leaking.join(", ")}`);

cpSync(join(here, "src"), dist, {
  recursive: true,
  filter: (source) => !/\.tsx?$/.test(source),
});
for (const [folder, file] of [
  [root, "LICENSE"],
  [here, "README.md"],
]) {
  copyFileSync(join(folder, file), join(dist, file));
}

// What is published is the folder dist. Its package.json lacks the condition that leads to the sources: bundlers set it while
// their users develop, and Node does not strip types inside node_modules.
const { scripts, devDependencies, exports, ...published } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const fromDist = (path) => path.replace("./dist/", "./");
if (published.bin) published.bin = Object.fromEntries(Object.entries(published.bin).map(([name, path]) => [name, fromDist(path)]));
published.exports = Object.fromEntries(
  Object.entries(exports).map(([name, { types, default: code }]) => [name, { types: fromDist(types), default: fromDist(code) }]),
);
writeFileSync(join(dist, "package.json"), JSON.stringify(published, null, 2));
