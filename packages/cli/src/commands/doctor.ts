import type { Command } from "commander";
import type { Health } from "keyline";
import type { Addresses } from "../connection/addresses.ts";
import { action, type Context } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Output } from "../output/output.ts";

interface Options {
  readonly ignore?: readonly string[];
}

export function define(command: Command): void {
  command
    .description("Look for what endangers data or speed here, and say what to do. Exits with 3 if there is anything; notes are no reason.")
    .option("--ignore <codes...>", "pass over these warnings, such as NO_PERSISTENCE")
    .action(
      action(async ({ output, session }: Context, { ignore = [] }: Options) => {
        const health = await (await session.reached()).health();
        const warnings = health.warnings.filter(({ code }) => !ignore.includes(code));
        if (output.isJson) await output.result({ healthy: warnings.length === 0, ...health, warnings }, "");
        else await tell(output, { ...health, warnings }, session.addresses);
        return warnings.length === 0 ? exitCodes.done : exitCodes.unhealthy;
      }),
    );
}

async function tell(output: Output, { valkey, postgres, warnings, notes }: Health, addresses: Addresses): Promise<void> {
  await output.details({}, [
    [
      "Valkey",
      valkey.state === "ok"
        ? [valkey.server, valkey.version, topology(valkey)].filter(Boolean).join(" ")
        : `away (asked was ${addresses.valkeyName})`,
    ],
    ["  round trip", milliseconds(valkey.roundTripMs)],
    ["  memory", memory(valkey.memory)],
    ["  persistence", persistence(valkey.persistence)],
    ["  connections", connections(valkey.connections)],
    ["  clock", valkey.clockSkewMs === undefined ? undefined : `${Math.round(valkey.clockSkewMs)} ms ahead of this machine`],
    ["PostgreSQL", postgresText(postgres, addresses.postgresName)],
    ["  round trip", milliseconds(postgres.roundTripMs)],
    ["  connections", connections(postgres.connections)],
    ["  schema", postgres.migration && `version ${postgres.migration.at} of ${postgres.migration.newest}`],
    ["  relay", postgres.relay && `${postgres.relay.backlog} are not on Valkey yet`],
  ]);
  for (const { code, message, advice } of warnings) {
    await output.text(`\n${output.paint("yellow", code)}  ${message}\n  To do: ${advice}`);
  }
  for (const { code, message, advice } of notes) await output.text(`\n${code}  ${message}\n  Better: ${advice}`);
  if (warnings.length === 0)
    await output.text(output.paint("green", "\nNothing endangers data or speed, as far as can be seen from here."));
}

function postgresText({ state, version }: Health["postgres"], name: string | undefined): string {
  if (name === undefined) return "not used here (DATABASE_URL is not set)";
  return state === "ok" ? (version ?? "") : `away (asked was ${name})`;
}

function topology({ isCluster, servers, role }: Health["valkey"]): string {
  if (isCluster) return `(cluster of ${servers})`;
  return role === "replica" ? "(a replica)" : "";
}

function milliseconds(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : `${ms.toFixed(1)} ms`;
}

function memory(found: Health["valkey"]["memory"]): string | undefined {
  if (!found) return undefined;
  const used = `${mebibytes(found.usedBytes)} used`;
  return `${used} of ${found.maxBytes === 0 ? "what the machine has" : mebibytes(found.maxBytes)}, ${found.policy}`;
}

function connections(found: Health["valkey"]["connections"]): string | undefined {
  return found && `${found.used} in use${found.max === undefined ? "" : ` of ${found.max}`}`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

function persistence(found: Health["valkey"]["persistence"]): string | undefined {
  if (!found) return undefined;
  const kinds = [found.appendOnly && "append-only log", found.snapshots && "snapshots"].filter(Boolean);
  return kinds.length === 0 ? "none" : kinds.join(", ");
}
