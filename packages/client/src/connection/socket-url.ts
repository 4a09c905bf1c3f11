import { ClientError } from "../client-error.ts";

/** Where the gateway at `url` takes WebSockets; in a page, `url` may be relative to it. Throws INVALID_OPTION. */
export function toSocketUrl(url: string): string {
  const base = typeof location === "undefined" ? undefined : location.href;
  const parsed = URL.canParse(url, base) ? new URL(url, base) : undefined;
  if (!parsed || !/^(http|ws)s?:$/.test(parsed.protocol)) {
    throw new ClientError("INVALID_OPTION", `${url} is no address of a gateway: pass one such as https://example.com`);
  }
  parsed.protocol = parsed.protocol.replace("http", "ws");
  parsed.pathname = `${parsed.pathname.replace(/\/+$/, "")}/v1/ws`;
  parsed.hash = "";
  return parsed.href;
}
