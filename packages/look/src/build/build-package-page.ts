import { join } from "node:path";
import { buildPage } from "./build-page.ts";
import { folderOf } from "./workspace-package.ts";

/**
 * The folder with the page of a package of this workspace, which can be served anywhere; built from its sources unless that was done before: what is published brings it
 * along built. The page is the package's folder `page`, and may import what it has in common with its server, `src/api`.
 */
export function buildPackagePage(name: string): Promise<string> {
  const folder = folderOf(name);
  return buildPage({ path: ".", folder: join(folder, "page"), alsoFrom: [join(folder, "src", "api"), join(folder, "package.json")] });
}
