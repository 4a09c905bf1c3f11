import { exitCodes, Failure, Interrupted, WrongUse, type ExitCode } from "./exit-codes.ts";
import type { Addresses } from "./connection/addresses.ts";
import { printable } from "./output/printable.ts";

interface Explained {
  readonly text: string;
  readonly exitCode: ExitCode;
}

/** What the library refuses because of what was asked for, and not because of what happened. */
const wrongUse = new Set([
  "INVALID_NAME",
  "INVALID_OPTION",
  "INVALID_ID",
  "INVALID_KEY",
  "INVALID_CURSOR",
  "VALIDATION_FAILED",
  "NOT_SERIALIZABLE",
  "FORBIDDEN_KEY",
  "PAYLOAD_TOO_LARGE",
  "NOT_STORABLE",
  "POSTGRES_REQUIRED",
  "NOT_TRANSACTIONAL",
  "UNKNOWN_GROUP",
  "UNKNOWN_SCHEDULE",
]);

/** What an error is for whoever typed the command: one or two lines, without a password. */
export function explain(error: unknown, addresses: Addresses | undefined): Explained {
  const { text, exitCode } = describe(error, addresses);
  return { text: printable(withoutSecrets(text, addresses?.secrets ?? [])), exitCode };
}

function describe(error: unknown, addresses: Addresses | undefined): Explained {
  if (error instanceof WrongUse) return { text: error.message, exitCode: exitCodes.wrongUse };
  if (error instanceof Failure) return { text: error.message, exitCode: exitCodes.failed };
  if (error instanceof Interrupted) return { text: error.message, exitCode: error.exitCode };
  if (!(error instanceof Error)) return { text: String(error), exitCode: exitCodes.failed };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const advice = adviceFor(code, addresses);
  const said =
    code === "POSTGRES_REQUIRED" ? "This needs PostgreSQL." : code === "WRONG_TOPOLOGY" ? topology(error.message) : error.message;
  const text = advice === undefined ? said : `${said}\n${advice}`;
  return {
    text: code === undefined ? text : `${text} (${code})`,
    exitCode: wrongUse.has(code ?? "") ? exitCodes.wrongUse : exitCodes.failed,
  };
}

function adviceFor(code: string | undefined, addresses: Addresses | undefined): string | undefined {
  switch (code) {
    case "VALKEY_UNAVAILABLE":
      return `Asked was ${addresses?.valkeyName ?? "no server"}. Is it running? Another one: --valkey URL, or VALKEY_URL.`;
    case "WRONG_TOPOLOGY":
      return "Of a cluster name several nodes, as in --valkey valkey://a:6379,valkey://b:6379; of sentinels their addresses, with --sentinel NAME.";
    case "POSTGRES_UNAVAILABLE":
    case "NO_SUCH_DATABASE":
      return `Asked was ${addresses?.postgresName ?? "no server"}. Another one: --postgres URL, or DATABASE_URL.`;
    case "POSTGRES_REQUIRED":
      return "Say where it is: --postgres URL, or DATABASE_URL.";
    case "NOT_MIGRATED":
      return "Run: keyline migrate";
    case "SCHEMA_TOO_NEW":
      return "This command is older than the schema: upgrade @keyline/cli.";
    case undefined:
    default:
      return undefined;
  }
}

/** Without what its message advises to programmers. */
function topology(message: string): string {
  return message.replace(/\): name a single server.*$/s, ").");
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(placesOf(secret), "***"), text);
}

// A password of a letter or two is in every other word: it is taken out where one stands.
const shortest = 4;

function placesOf(secret: string): RegExp {
  const escaped = secret.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
  return new RegExp(secret.length < shortest ? `(?<=[:=]\\s*)${escaped}(?=[@&\\s]|$)` : escaped, "g");
}
