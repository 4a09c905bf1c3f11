// Puts the page beside the compiled server, as `npm run build` of this package does: dist/page.
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const site = join(here, "../../apps/site");
execFileSync(
  process.execPath,
  [join(site, "vite-build.ts"), join(here, "page"), join(here, "dist", "page"), "./", join(site, "page", "public")],
  { stdio: "inherit", env: { ...process.env, NODE_ENV: "production" } },
);
