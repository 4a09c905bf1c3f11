import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { logCalls } from "../support/log-calls.ts";

const root = join(import.meta.dirname, "../../../..");
const calls = logCalls(root, ["packages/keyline/src", "packages/gateway/src"]);
const guide = readFileSync(join(root, "docs/guides/logs.md"), "utf8");

function documented(level: string): string[] {
  const section = guide.split(/^## /m).find((part) => part.startsWith(`${level}\n`)) ?? "";
  return [...section.matchAll(/^(?:\| |- )`([^`]+)`/gm)].map(([, message = ""]) => message);
}

test.each(["error", "warn", "info", "debug"])("the guide lists what is logged as %s, and nothing else", (level) => {
  const messages = new Set(calls.filter((call) => call.level === level).map(({ message }) => message.replaceAll("`", "")));
  expect(documented(level).toSorted((a, b) => a.localeCompare(b))).toEqual([...messages].toSorted((a, b) => a.localeCompare(b)));
});

test("every call of a logger has a level and a message that could be read", () => {
  expect(calls.length).toBeGreaterThan(90);
  expect(calls.filter(({ level, message }) => level === "?" || message === "")).toEqual([]);
});

test("no line has an error with all that is in it, nor anything that a payload or a password is in", () => {
  const wholeError = /\berror: error\b(?!\.)|\{ error \}|, error \}/;
  const sent = /\b(?:data|dataJson|raw|payload|element|password)\b(?!\??\.id)/;
  const wrong = calls.filter(({ details }) => wholeError.test(details) || sent.test(details));
  expect(wrong).toEqual([]);
});
