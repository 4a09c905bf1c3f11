import { hostname, networkInterfaces } from "node:os";

export const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];
const loopback = new Set(["localhost", "127.0.0.1", "::1"]);
const everywhere = new Set(["0.0.0.0", "::"]);

/** The origins of the pages that a server on this host and port serves, by whatever name it is reached. */
export function ownOrigins(host: string, port: number): string[] {
  return [...new Set(ownNames(host).map((name) => new URL(`http://${name}:${port}`).origin))];
}

/** The names and addresses by which a server on this host is reached, as they stand in a URL. */
export function ownNames(host: string): readonly string[] {
  if (loopback.has(host)) return loopbackNames;
  if (!everywhere.has(host)) return [host.includes(":") ? `[${host}]` : host];
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  // Link-local addresses have a zone, which no URL has.
  const reachable = addresses.filter(({ scopeid = 0 }) => scopeid === 0);
  return [
    ...loopbackNames,
    hostname().toLowerCase(),
    ...reachable.map(({ address, family }) => (family === "IPv6" ? `[${address}]` : address)),
  ];
}
