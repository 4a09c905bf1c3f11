import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { WrongUse } from "../exit-codes.ts";

/** The value that DATA stands for: JSON, or with `-` what comes in on standard input. */
export async function readData(given: string, what = "DATA"): Promise<unknown> {
  if (given !== "-") return parseJson(what, given);
  if (process.stdin.isTTY) process.stderr.write("Type JSON, and then Ctrl-D on a line of its own.\n");
  return parseJson("What came on standard input", await text(process.stdin));
}

/** A value for each line on standard input that is not empty, until its end or until it is stopped. */
export async function* readLines(signal: AbortSignal): AsyncGenerator {
  let number = 0;
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity, signal })) {
    if (signal.aborted) return;
    number++;
    if (line.trim() !== "") yield parseJson(`Line ${number} of standard input`, line);
  }
}

function parseJson(what: string, json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    if (json.trim() === "") throw new WrongUse(`${what} is empty: it must be JSON`, { cause: error });
    const hint = /^[\w@.+-]+$/.test(json.trim()) ? ` A text needs its quotation marks: '"${json.trim()}"'` : "";
    throw new WrongUse(`${what} is no JSON: ${error instanceof Error ? error.message : String(error)}.${hint}`, { cause: error });
  }
}
