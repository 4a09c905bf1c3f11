// The entry of a process that builds one page and ends: Vite and what it loads take several hundred megabytes, which a server would keep.
import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { build, defaultClientConditions } from "vite";
import { commonTags } from "./common-tags.ts";

// Whoever wanted the page is gone.
process.once("disconnect", () => process.exit(1));

const [root, outDir, base] = process.argv.slice(2);
if (root === undefined || outDir === undefined || base === undefined) {
  throw new Error("vite-build takes the page's folder, the folder to build into, and the base path");
}
await build({
  root,
  base,
  configFile: false,
  publicDir: join(import.meta.dirname, "public"),
  plugins: [react(), commonTags()],
  // Packages of this workspace come from their sources: there need be no build of them.
  resolve: { conditions: ["development", ...defaultClientConditions] },
  logLevel: "warn",
  mode: "production",
  build: { outDir, emptyOutDir: true, chunkSizeWarningLimit: 1_000 },
});
process.exit(0);
