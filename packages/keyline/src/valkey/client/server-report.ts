import type { Cluster, Valkey } from "iovalkey";
import { performance } from "../../runtime/clock.ts";
import type { ValkeyConnection } from "./connection.ts";
import { findRefused } from "./needed-rights.ts";
import { isNotPermitted } from "./run-mark.ts";

/** What a server of Valkey says of itself; of a cluster one for each primary. */
export interface ServerReport {
  /** By the names of INFO; empty where this user may not use it. */
  readonly info: ReadonlyMap<string, string>;
  readonly isInfoRefused: boolean;
  /** What Keyline uses of it and this user may not. */
  readonly refused: readonly string[];
  /** Its setting `save`; undefined where nobody may look at settings. */
  readonly save: string | undefined;
  readonly roundTripMs: number;
  /** How far its clock is ahead of this process's, as far as the round trip lets that be known. */
  readonly clockSkewMs: number;
}

const sections = ["server", "clients", "memory", "persistence", "replication", "stats"];

/** Asks each server for what it says of itself, with commands that look at nothing but counters. */
export function readServers({ client, isCluster }: ValkeyConnection, prefix: string): Promise<ServerReport[]> {
  const servers = "nodes" in client ? client.nodes("master") : [client];
  return Promise.all(servers.map((server) => readServer(server, { prefix, isCluster })));
}

async function readServer(client: Valkey | Cluster, use: { readonly prefix: string; readonly isCluster: boolean }): Promise<ServerReport> {
  const begun = performance.now();
  const time = client.time().then(([seconds, micros]) => {
    const roundTripMs = performance.now() - begun;
    return { roundTripMs, clockSkewMs: skew(Number(seconds) * 1_000 + Number(micros) / 1_000, roundTripMs) };
  });
  // Sent together: what one of them is refused does not keep the others.
  const [{ roundTripMs, clockSkewMs }, info, save, refused] = await Promise.all([
    time,
    unlessRefused(() => client.call("INFO", ...sections)),
    // Hosts that are managed by others often do not have it at all.
    Promise.resolve(client.call("CONFIG", "GET", "save")).catch(() => undefined),
    findRefused(client, use),
  ]);
  return {
    info: parseInfo(typeof info === "string" ? info : ""),
    isInfoRefused: info === undefined,
    refused,
    save: Array.isArray(save) && save.length > 1 ? String(save[1]) : undefined,
    roundTripMs,
    clockSkewMs,
  };
}

function skew(serverMs: number, roundTripMs: number): number {
  const aheadMs = serverMs - (Date.now() - roundTripMs / 2);
  return Math.abs(aheadMs) <= roundTripMs / 2 ? 0 : Math.round(aheadMs);
}

async function unlessRefused(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return await ask();
  } catch (error) {
    if (isNotPermitted(error)) return undefined;
    throw error;
  }
}

function parseInfo(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^([a-z_0-9]+):([^\r\n]*)/gm)].map(([, name = "", value = ""]) => [name, value]));
}
