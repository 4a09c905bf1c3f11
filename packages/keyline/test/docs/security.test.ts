import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../..", import.meta.url));

test("the tests that the security page names are there", () => {
  const text = readFileSync(`${root}/SECURITY.md`, "utf8");
  const named = [...text.matchAll(/`([\w/.-]+\.test\.ts)`/g)].map(([, path = ""]) => path);
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((path) => !existsSync(`${root}/${path}`) && !existsSync(`${root}/packages/gateway/test/${path}`))).toEqual([]);
});
