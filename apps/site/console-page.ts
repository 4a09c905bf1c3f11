import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPage } from "./page-build.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../../packages/console");

/** The folder with the console's page, built from its sources unless that was done before: what is published brings it along built. */
export function buildConsolePage(): Promise<string> {
  return buildPage({ path: ".", folder: join(folder, "page"), alsoFrom: [join(folder, "src", "api"), join(folder, "package.json")] });
}
