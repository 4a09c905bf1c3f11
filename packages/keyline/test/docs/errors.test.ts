import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errorCodes } from "../../src/runtime/errors.ts";

const text = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
const sections = [...text.matchAll(/^### `([A-Z_]+)`\n\n(.+?)(?=\n#|$(?![^]))/gms)].map((match) => ({
  code: match[1] ?? "",
  explanation: match[2] ?? "",
}));

test("docs/errors.md explains every error code, and no other, in the order of the code", () => {
  expect(sections.map(({ code }) => code)).toEqual([...errorCodes]);
});

test("each explanation says something of its own", () => {
  for (const { code, explanation } of sections) expect(explanation.length, code).toBeGreaterThan(60);
  expect(new Set(sections.map(({ explanation }) => explanation)).size).toBe(errorCodes.length);
});
