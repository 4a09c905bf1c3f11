import type { Cluster, Valkey } from "iovalkey";
import { toError } from "../../runtime/errors.ts";
import { delay, retryDelay } from "../../runtime/waiting.ts";
import { toFault } from "./faults.ts";
import type { ValkeyTarget } from "./options.ts";
import { bulkString, WrittenCommand } from "./written-command.ts";

/** Major and minor of the oldest that works: Redis 7.0. Of Valkey that is every release, as its first was 7.2. */
export const oldestRedis = [7, 0] as const;

/**
 * Asks a server that was just connected to who it is, before anything else is sent: by HELLO, which every user may use, and which tells it who
 * we are. The client library does neither: its check needs the right to INFO and prints what it does not like, and where it is refused a
 * password or a database it goes on with another user or another database, and takes each answer for that of the next command. Only the
 * nodes of a cluster are greeted by the library. Throws what the server refuses, and a fault for a server that is not the one to talk to.
 */
export async function checkServer(client: Valkey | Cluster, target: ValkeyTarget, signal: AbortSignal): Promise<void> {
  const { username, password, db } = target.options;
  const isCluster = target.kind === "cluster";
  const isNamed = !isCluster && typeof username === "string" && typeof password === "string";
  const auth = isNamed ? ["AUTH", username, password] : [];
  for (let tries = 0; !signal.aborted; tries++) {
    const answers = await Promise.allSettled([
      client.call("HELLO", "2", ...auth),
      isCluster ? undefined : client.sendCommand(select(typeof db === "number" ? db : 0)),
      client.call("PING"),
    ]);
    const [hello, selected, ping] = answers.map((answer) => (answer.status === "rejected" ? toError(answer.reason) : answer.value));
    if (hello instanceof Error) throw hello;
    checkAnswer(fieldsOf(hello), target);
    if (selected instanceof Error) throw selected;
    if (!(ping instanceof Error)) return;
    // It is there, and reads its data, or runs a long script.
    if (!/^(LOADING|BUSY|MASTERDOWN)\b/.test(ping.message)) throw ping;
    await delay(retryDelay(tries), signal);
  }
}

/** Under another name: the client library would select again by itself at each reconnect, before it has said who we are. */
function select(db: number): WrittenCommand {
  return new WrittenCommand("ping", [], `*2\r\n${bulkString("SELECT")}${bulkString(String(db))}`);
}

function checkAnswer(server: ReadonlyMap<string, string>, { kind }: ValkeyTarget): void {
  const mode = server.get("mode");
  const version = server.get("version") ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < oldestRedis[0] || (major === oldestRedis[0] && minor < oldestRedis[1])) {
    throw toFault("SERVER_TOO_OLD", `it is ${server.get("server") ?? "a server"} ${version}`);
  }
  if (mode === "sentinel") throw toFault("WRONG_TOPOLOGY", "it is a sentinel");
  if (mode === "cluster" && (kind === "single" || kind === "sentinel")) throw toFault("WRONG_TOPOLOGY", "it is a node of a cluster");
  if (server.get("role") !== "master" && (kind === "single" || kind === "sentinel")) throw toFault("VALKEY_READ_ONLY", "it is a replica");
}

function fieldsOf(reply: unknown): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  if (Array.isArray(reply)) for (let at = 0; at < reply.length; at += 2) fields.set(String(reply[at]), String(reply[at + 1]));
  return fields;
}
