// Puts the page beside the compiled server, as `npm run build` of this package does: dist/page.
import { join } from "node:path";
import { runVite } from "@keyline/look/build";

const here = import.meta.dirname;
await runVite(join(here, "page"), { outDir: join(here, "dist", "page"), base: "./" });
