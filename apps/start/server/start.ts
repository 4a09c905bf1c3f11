import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyInstance } from "fastify";
import { buildSitePage } from "../../site/page-build.ts";
import { servePage } from "../../site/page.ts";

const appsFolder = join(dirname(fileURLToPath(import.meta.url)), "../..");
// What it shows is what the applications tell their own pages.
const shared = [
  "shop/page/use-live.ts",
  "shop/page/api.ts",
  "shop/snapshot.ts",
  "feed/channel-names.ts",
  "feed/limits.ts",
  "feed/page/api.ts",
  "reviews/channel-names.ts",
  "reviews/limits.ts",
  "reviews/user-id.ts",
];

/** Registers the start page on the site. The applications have to be there too: it has no data of its own. */
export async function registerStart(site: FastifyInstance): Promise<void> {
  const build = await buildSitePage({
    path: "",
    folder: join(appsFolder, "start", "page"),
    alsoFrom: shared.map((file) => join(appsFolder, file)),
    packages: ["@keyline/client"],
  });
  await servePage(site, { path: "", build });
}
