import { Refusal } from "../http/refusal.ts";

const ownSites = new Set(["same-origin", "none"]);

/**
 * Refuses what a page of another site has a browser send here. A token that is not a cookie protects from that already; on loopback there is none. Programs
 * that are no browsers send neither header, and are let through.
 */
export function refuseCrossSite({ headers, url }: Request): void {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  // Origin too, as it is the only one that browsers before 2023 send. Behind a proxy that ends TLS the scheme is another one, so hosts are compared.
  const isForeign =
    (site !== null && !ownSites.has(site)) || (origin !== null && hostOf(origin) !== (headers.get("host") ?? new URL(url).host));
  if (isForeign) throw new Refusal({ status: 403, code: "CROSS_SITE_REQUEST", title: "Requests from other sites are refused" });
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
