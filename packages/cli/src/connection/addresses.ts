import type { KeylineOptions } from "keyline";
import { WrongUse } from "../exit-codes.ts";

/** What the command line says of where the stores are. */
export interface AddressOptions {
  readonly valkey?: string;
  readonly sentinel?: string;
  readonly postgres?: string;
  readonly prefix?: string;
}

/** Where the stores are, and what may be said of that. */
export interface Addresses {
  readonly options: Pick<KeylineOptions, "valkey" | "postgres" | "prefix">;
  /** Without a password. */
  readonly valkeyName: string;
  readonly postgresName: string | undefined;
  /** Servers of Valkey that are named. */
  readonly valkeyNodes: readonly { readonly host: string; readonly port: number }[];
  /** What must not be printed. */
  readonly secrets: readonly string[];
}

const defaultValkey = "valkey://localhost:6379";

/**
 * From the command line, else from VALKEY_URL, VALKEY_SENTINEL, DATABASE_URL and KEYLINE_PREFIX. Several addresses of Valkey, with commas between, are nodes of a cluster, or sentinels
 * where a primary is named.
 */
export function readAddresses(given: AddressOptions, env: NodeJS.ProcessEnv): Addresses {
  const valkey = given.valkey ?? (env["VALKEY_URL"] || defaultValkey);
  const sentinel = given.sentinel ?? (env["VALKEY_SENTINEL"] || undefined);
  const postgres = given.postgres ?? (env["DATABASE_URL"] || undefined);
  const prefix = given.prefix ?? (env["KEYLINE_PREFIX"] || undefined);
  const urls = valkey.split(",").map((part) => toUrl("--valkey (or VALKEY_URL)", part, /^(?:valkeys?|rediss?):$/));
  const record = postgres === undefined ? undefined : toUrl("--postgres (or DATABASE_URL)", postgres, /^postgres(?:ql)?:$/);
  return {
    options: {
      valkey: urls.length === 1 && sentinel === undefined ? valkey : severalNodes(urls, sentinel),
      ...(postgres !== undefined && { postgres }),
      ...(prefix !== undefined && { prefix }),
    },
    valkeyName: `Valkey at ${urls.map(nameOf).join(", ")}`,
    postgresName: record && `PostgreSQL at ${nameOf(record)}`,
    valkeyNodes: urls.map(({ hostname, port }) => ({ host: hostOf(hostname), port: Number(port || 6379) })),
    secrets: [...urls, record].flatMap((url) => (url ? secretsOf(url) : [])),
  };
}

function severalNodes(urls: readonly URL[], sentinel: string | undefined): KeylineOptions["valkey"] {
  const [first] = urls;
  const nodes = urls.map(({ hostname, port }) => ({
    host: hostOf(hostname),
    ...(port !== "" && { port: Number(port) }),
  }));
  const credentials = {
    ...(first?.username && { username: decodeURIComponent(first.username) }),
    ...(first?.password && { password: decodeURIComponent(first.password) }),
    ...(/^(?:valkeys|rediss):$/.test(first?.protocol ?? "") && { tls: true }),
  };
  if (sentinel === undefined) return { cluster: nodes, ...credentials };
  return { sentinels: nodes, name: sentinel, db: Number(first?.pathname.slice(1) || 0), ...credentials };
}

function toUrl(what: string, text: string, scheme: RegExp): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // The text itself may have a password in it.
  if (!url || !scheme.test(url.protocol)) {
    throw new WrongUse(
      `${what} is no address: write ${what.includes("valkey") ? "valkey://host:6379, or valkeys:// for TLS" : "postgres://host:5432/database"}`,
    );
  }
  return url;
}

function hostOf(hostname: string): string {
  return hostname.replaceAll(/^\[|\]$/g, "") || "localhost";
}

function nameOf({ hostname, port, pathname }: URL): string {
  return `${hostname || "localhost"}${port && `:${port}`}${pathname === "/" ? "" : pathname}`;
}

function secretsOf(url: URL): string[] {
  const inQuery = url.searchParams.get("password") ?? "";
  return [url.password, decodeURIComponent(url.password), inQuery].filter((secret) => secret !== "");
}
