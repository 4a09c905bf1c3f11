import { Problem } from "@keyline/gateway";
import type { FastifyRequest } from "fastify";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses what was sent under a name that is not the site's own: a page of another site may have its name resolve to this machine, and would then
 * be of the same origin (DNS rebinding). The port does not matter: it is the one that was reached.
 */
export function refuseForeignHost({ headers }: FastifyRequest, ownNames: ReadonlySet<string>): void {
  const name = headers.host?.toLowerCase().replace(/:\d+$/, "");
  if (name !== undefined && ownNames.has(name)) return;
  throw new Problem({ title: "This site is not reached by that name", status: 421, code: "MISDIRECTED_REQUEST" });
}

/**
 * Refuses what another site's page has a browser send here: there is no login, so being on the visitor's machine is the only thing
 * that such a page lacks. Programs that are no browsers send neither header and are let through.
 */
export function refuseCrossSite(request: FastifyRequest): void {
  if (safeMethods.has(request.method)) return;
  const { "sec-fetch-site": fetchSite, origin, host } = request.headers;
  // Browsers before 2023 have no Sec-Fetch-Site, but all of them send Origin with a method that is not safe.
  const isForeign = fetchSite === undefined ? origin !== undefined && hostOf(origin) !== host : !ownSites.has(fetchSite);
  if (isForeign) throw new Problem({ title: "Requests from other sites are refused", status: 403, code: "CROSS_SITE_REQUEST" });
}

const ownSites = new Set(["same-origin", "none"]);

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
