import { ClientError } from "../client-error.ts";

/** Where the gateway at `url` takes WebSockets; in a page, `url` may be relative to it. Throws INVALID_OPTION. */
export function toSocketUrl(url: string): string {
  const base = globalThis.location?.href;
  const parsed = URL.canParse(url, base) && new URL(url, base);
  if (!parsed || !/^(http|ws)s?:/.test(parsed.href)) {
    throw new ClientError("INVALID_OPTION", `${url} is no gateway: pass one such as https://example.com`);
  }
  parsed.hash = "";
  parsed.pathname = parsed.pathname.replace(/\/*$/, "/v1/ws");
  return parsed.href.replace("http", "ws");
}
