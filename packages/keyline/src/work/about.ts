import { hostname } from "node:os";
import { parseJson } from "../runtime/json.ts";
import { version } from "../runtime/version.ts";

/** What a worker or a consumer says of itself. All but its name is undefined where it has not said anything yet, as one of an older version of Keyline, or may not write it. */
export interface About {
  /** The name of its lease: another one after a lease was lost. */
  readonly id: string;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  /** Keyline's. */
  readonly version: string | undefined;
  /** How many it runs at a time at the most. */
  readonly concurrency: number | undefined;
  /** In milliseconds since 1970, by its own clock. */
  readonly startedAt: number | undefined;
}

/** Of one that this process has just started. */
export function aboutMe(concurrency: number): string {
  return JSON.stringify({ host: hostname(), pid: process.pid, version, concurrency, startedAt: Date.now() });
}

/** Somebody else may have written it. */
export function readAbout(id: string, text: string): About {
  const said = fieldsOf(text);
  const [pid = ""] = /^\d+(?=-)/.exec(id) ?? [];
  return {
    id,
    host: textOf(said["host"]),
    pid: numberOf(said["pid"]) ?? (pid === "" ? undefined : Number(pid)),
    version: textOf(said["version"]),
    concurrency: numberOf(said["concurrency"]),
    startedAt: numberOf(said["startedAt"]),
  };
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  if (text === "") return {};
  try {
    const said = parseJson(text);
    return typeof said === "object" && said !== null ? (said as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
