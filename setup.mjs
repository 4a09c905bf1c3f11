// Runs on whatever Node started npm (20 or newer): installs the workspace when it is missing or out of date, then hands over
// to the Node 24 of the devDependencies, so that every command behaves the same on every machine.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const stamp = join(root, "node_modules", ".installed-from");
const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
  console.log("Installing packages (npm ci)...");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const install = spawnSync(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
  });
  if (install.status !== 0) {
    console.error("npm ci failed: see the messages above.");
    process.exit(install.status ?? 1);
  }
  writeFileSync(stamp, lock);
}

const bin = join(root, "node_modules", ".bin");
const [entry, ...rest] = process.argv.slice(2);
const child = spawn(
  join(root, "node_modules", "node", "bin", "node"),
  ["--conditions=development", "--disable-warning=ExperimentalWarning", join(root, entry), ...rest],
  {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}${process.platform === "win32" ? ";" : ":"}${process.env.PATH}` },
  },
);
// Ctrl-C reaches the whole process group; a signal sent to this process alone is passed on.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
