import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** A call of a logger in the sources. */
export interface LogCall {
  readonly level: string;
  /** As it is written, with "…" for what is put in. */
  readonly message: string;
  /** The text of its details. */
  readonly details: string;
  readonly place: string;
}

const call = /\b(?:#logger|logger)(?:\.(debug|info|warn|error)|\[(?:\w+ \? "(\w+)" : "debug"|level)\])\(|\b#?(logError)\(/g;

/** All calls of loggers below these folders. */
export function logCalls(root: string, folders: readonly string[]): LogCall[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => callsIn(root, join(root, folder, file))),
  );
}

function callsIn(root: string, file: string): LogCall[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(call)].flatMap((match) => {
    const values = argumentsFrom(text, match.index + match[0].length);
    const place = `${relative(root, file)}:${text.slice(0, match.index).split("\n").length}`;
    // A signature, or what passes on what it is given.
    const [first = "", second = ""] = values;
    if (match[3] && (values.length < 2 || /^(?:this: void, )?(?:error: unknown|error, what)/.test(`${first}, ${second}`))) return [];
    if (second === "what" || second === "message") return [];
    // Told at a lower level when it is told again.
    const chosen = text
      .slice(0, match.index)
      .match(/const level = .*? \? "(\w+)" : "debug"/g)
      ?.at(-1);
    const level = match[1] ?? match[2] ?? (match[3] ? "error" : (/"(\w+)"/.exec(chosen ?? "")?.[1] ?? "?"));
    return [{ level, message: textOf(second), details: match[3] ? (values[2] ?? "{}") : first, place }];
  });
}

/** The arguments of a call whose bracket is open at `from`. */
function argumentsFrom(text: string, from: number): string[] {
  const values: string[] = [];
  let depth = 0;
  let quote = "";
  let start = from;
  for (let at = from; at < text.length; at++) {
    const one = text[at] ?? "";
    if (quote !== "") {
      if (one === "\\") at++;
      else if (one === quote) quote = "";
      continue;
    }
    if (one === '"' || one === "`") quote = one;
    else if ("([{".includes(one)) depth++;
    else if (depth > 0 && ")]}".includes(one)) depth--;
    else if (depth === 0 && (one === "," || one === ")")) {
      const value = text.slice(start, at).trim();
      if (value !== "") values.push(value);
      start = at + 1;
      if (one === ")") break;
    }
  }
  return values;
}

function textOf(argument: string): string {
  const parts = [...argument.matchAll(/"((?:[^"\\]|\\.)*)"|`([^`]*)`/g)].map(([, quoted, template]) => quoted ?? template ?? "");
  return parts.join("").replaceAll(/\$\{[^}]*\}/g, "…");
}
