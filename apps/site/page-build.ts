import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPage, type PageSource } from "@keyline/look/build";

const here = dirname(fileURLToPath(import.meta.url));
/** What the pages of all applications share, and the versions of what goes into them. */
const shared = [join(here, "page"), join(here, "..", "package.json")];

/** The folder of an application's built page, which is built now unless that was done from exactly these sources before. */
export function buildSitePage({ alsoFrom = [], ...source }: PageSource): Promise<string> {
  return buildPage({ ...source, alsoFrom: [...shared, ...alsoFrom] });
}
