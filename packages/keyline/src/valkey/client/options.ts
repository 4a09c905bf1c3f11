import { isIP } from "node:net";
import { KeylineError } from "../../runtime/errors.ts";
import { checkInteger, checkOptionNames } from "../../runtime/options.ts";
import { withoutPassword } from "../../runtime/logger.ts";

export interface ValkeyNode {
  readonly host: string;
  /** Default 6379; 26379 for a sentinel. */
  readonly port?: number;
}

interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** True, or options of Node's `tls.connect`, for encrypted connections; where there are sentinels, to them too. */
  readonly tls?: boolean | object;
}

/**
 * Where Valkey is: a URL (`valkey://user:password@host:port/db`, `valkeys://` for TLS), one server, a cluster's seed nodes, or
 * the sentinels that know a primary by its name. Everything else in Keyline is the same for all four.
 */
export type ValkeyOptions =
  | string
  | (ValkeyNode & Credentials & { readonly db?: number })
  | ({ readonly cluster: readonly ValkeyNode[] } & Credentials)
  | ({ readonly sentinels: readonly ValkeyNode[]; readonly name: string; readonly db?: number } & Credentials);

/** What the options come to, in the words of the client library. */
export type ValkeyTarget =
  // A node is one server of a cluster, for what a cluster's client cannot do.
  | { readonly kind: "single" | "sentinel" | "node"; readonly options: Readonly<Record<string, unknown>> }
  | {
      readonly kind: "cluster";
      readonly nodes: readonly { host: string; port: number }[];
      readonly options: Readonly<Record<string, unknown>>;
    };

/** Throws INVALID_OPTION for what is no address. */
export function toTarget(options: ValkeyOptions): ValkeyTarget {
  if (typeof options === "string") return { kind: "single", options: parseUrl(options) };
  if (typeof options !== "object" || options === null) {
    throw new KeylineError("INVALID_OPTION", `valkey must be a URL, such as valkey://host:6379, or name a server, not ${String(options)}`);
  }
  checkOptionNames("valkey", options, namesOf(options));
  if ("cluster" in options) {
    checkNodes("valkey.cluster", options.cluster);
    return {
      kind: "cluster",
      nodes: options.cluster.map(({ host, port = 6379 }) => ({ host, port })),
      options: credentials(options),
    };
  }
  if ("sentinels" in options) {
    checkNodes("valkey.sentinels", options.sentinels);
    if (typeof options.name !== "string" || options.name === "") {
      throw new KeylineError("INVALID_OPTION", "valkey.name must be the name by which the sentinels know the primary");
    }
    checkDb(options.db);
    return {
      kind: "sentinel",
      options: {
        ...sentinelCredentials(options),
        sentinels: options.sentinels.map(({ host, port = 26379 }) => ({ host, port })),
        name: options.name,
        db: options.db ?? 0,
      },
    };
  }
  const { host, port = 6379, db = 0 } = options;
  checkNode("valkey", options);
  checkDb(db);
  return { kind: "single", options: { ...credentials(options), host, port, db } };
}

const credentialNames = ["username", "password", "tls"];
const singleNames = new Set(["host", "port", "db", ...credentialNames]);
const clusterNames = new Set(["cluster", ...credentialNames]);
const sentinelNames = new Set(["sentinels", "name", "db", ...credentialNames]);

function namesOf(options: object): ReadonlySet<string> {
  if ("cluster" in options) return clusterNames;
  return "sentinels" in options ? sentinelNames : singleNames;
}

function checkNodes(option: string, nodes: readonly ValkeyNode[]): void {
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new KeylineError("INVALID_OPTION", `${option} must be an array of { host, port }, with at least one of them`);
  }
  nodes.forEach((node, index) => checkNode(`${option}[${index}]`, node));
}

function checkNode(option: string, node: ValkeyNode): void {
  const { host, port } = (typeof node === "object" && node !== null ? node : {}) as Partial<ValkeyNode>;
  if (typeof host !== "string" || host === "") throw new KeylineError("INVALID_OPTION", `${option}.host must be a name or an address`);
  if (port !== undefined) checkInteger(`${option}.port`, port, { min: 1, max: 65_535 });
}

function checkDb(db: number | undefined): void {
  if (db !== undefined) checkInteger("valkey.db", db, { min: 0, max: 1_000_000 });
}

function credentials({ username, password, tls }: Credentials): Record<string, unknown> {
  return {
    // With a name a server that asks for no password takes any, where without it the client library prints a warning.
    ...(username === undefined && password === undefined ? {} : { username: username ?? "default" }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: tls === true ? {} : tls } : {}),
  };
}

/** The client library would speak without TLS to all of them: for it, `tls` alone is about single servers. */
function sentinelCredentials(options: Credentials): Record<string, unknown> {
  const given = credentials(options);
  return given["tls"] === undefined ? given : { ...given, sentinelTLS: given["tls"], enableTLSForSentinelMode: true };
}

const schemes: Record<string, { readonly tls: boolean }> = {
  "valkey:": { tls: false },
  "redis:": { tls: false },
  "valkeys:": { tls: true },
  "rediss:": { tls: true },
};

function parseUrl(text: string): Record<string, unknown> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url && schemes[url.protocol];
  const db = url ? Number(url.pathname.slice(1) || "0") : NaN;
  if (!url || !scheme || !Number.isInteger(db)) {
    throw new KeylineError(
      "INVALID_OPTION",
      `${JSON.stringify(withoutPassword(text))} is no Valkey address: write valkey://host:port, or valkeys:// for TLS`,
    );
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, "") || "localhost",
    port: url.port ? Number(url.port) : 6379,
    db,
    ...credentials({
      ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
      ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
      ...(scheme.tls ? { tls: isIP(url.hostname) ? {} : { servername: url.hostname } } : {}),
    }),
  };
}
