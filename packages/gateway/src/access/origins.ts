import type { IncomingHttpHeaders } from "node:http";
import { Problem } from "../server/problem.ts";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);
const ownSites = new Set(["same-origin", "none"]);

/** The pages of which origins may use the gateway: compared as whole strings, the way browsers send them. */
export class Origins {
  readonly #allowed: ReadonlySet<string>;
  readonly #allowsOwn: boolean;

  /** `allowsOwn`: also pages of the gateway's own address. Only to be had where that address cannot be forged. Throws for what is no origin. */
  constructor(allowed: readonly string[], { allowsOwn }: { readonly allowsOwn: boolean }) {
    for (const origin of allowed) {
      if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
        throw new Error(`origins: ${JSON.stringify(origin)} is no origin: write it as browsers do, such as https://example.com`);
      }
    }
    this.#allowed = new Set(allowed);
    this.#allowsOwn = allowsOwn;
  }

  /** Whether pages of this origin may read answers. */
  isListed(origin: string): boolean {
    return this.#allowed.has(origin);
  }

  /**
   * A browser always sends Origin with a WebSocket handshake, and sends it wherever the page likes: there is no same-origin policy for
   * WebSocket. A client that sends none is not a browser, and has only the rights of its token.
   */
  checkHandshake(headers: IncomingHttpHeaders): void {
    const { origin } = headers;
    if (origin === undefined || this.#isAllowed(origin, headers.host)) return;
    throw new Problem({ title: "Pages of this origin may not connect", status: 403, code: "ORIGIN_REFUSED" });
  }

  /** Refuses what another site's page has a browser send. */
  checkRequest(method: string, headers: IncomingHttpHeaders): void {
    if (safeMethods.has(method)) return;
    const { "sec-fetch-site": fetchSite, origin, host } = headers;
    if (origin !== undefined && this.#allowed.has(origin)) return;
    // Browsers before 2023 have no Sec-Fetch-Site, but all of them send Origin with a method that is not safe.
    const isForeign = fetchSite === undefined ? origin !== undefined && hostOf(origin) !== host : !ownSites.has(fetchSite);
    if (isForeign) throw new Problem({ title: "Requests from other sites are refused", status: 403, code: "CROSS_SITE_REQUEST" });
  }

  #isAllowed(origin: string, host: string | undefined): boolean {
    return this.#allowed.has(origin) || (this.#allowsOwn && host !== undefined && hostOf(origin) === host);
  }
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
