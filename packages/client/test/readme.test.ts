import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { openGateway } from "./support/client.ts";

const root = join(import.meta.dirname, "../../..");
const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = ""], index) => ({ text, index }));

// In this package, from which its own name leads to the sources.
const folder = mkdtempSync(join(import.meta.dirname, ".tmp-"));
writeFileSync(join(folder, ".gitignore"), "*\n");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The surroundings that the README takes for granted. Whoever is shown something has got what the snippet is about. */
const surroundings = `
import { connect } from "@keyline/client";
interface Post { readonly text: string }
const fetchToken = async (): Promise<string> => "ada";
const show = (...words: string[]): void => { console.log(...words); process.exit(0); };
const reloadEverything = (...reasons: unknown[]): void => { throw new Error(reasons.join()); };
const kept = new Map<string, string>();
const store = { getItem: (key: string): string | null => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) };
`;
const connection = `const live = connect("https://example.com", { token: fetchToken });\n`;
const importLine = 'import { connect } from "@keyline/client";\n';

function toProgram(text: string, url: string): string {
  const body = text.includes("connect(") ? text.replace(importLine, "") : connection + text;
  return `${surroundings}${body}export {};\n`.replaceAll("https://example.com", url);
}

test("the table of errors has every code, and no other", () => {
  const source = readFileSync(join(import.meta.dirname, "../src/client-error.ts"), "utf8");
  const codes = [...source.matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect([...readme.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code)).toEqual(codes);
});

test("every snippet has the right types", async () => {
  const files = snippets.map(({ text, index }) => {
    writeFileSync(join(folder, `types-${index}.ts`), toProgram(text, "https://example.com"));
    return `types-${index}.ts`;
  });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: relative(folder, join(root, "tsconfig.json")), include: files }));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, "--noEmit", "-p", folder]).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe("");
});

describe("every snippet runs", () => {
  test.each(snippets)("number $index", async ({ text, index }) => {
    const gateway = await openGateway();
    const file = join(folder, `run-${index}.ts`);
    writeFileSync(file, toProgram(text, gateway.url.replace("/v1/ws", "")));
    const child = spawn(process.execPath, ["--conditions=development", file], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    child.stdout.resume();
    if (text.includes("subscribe")) {
      await gateway.frame("subscribe");
      gateway.publish("tech_news", { text: "Hello" });
    }
    expect(await ended).toBe(0);
  });
});
