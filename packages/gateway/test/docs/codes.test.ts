import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../../../", import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, root), "utf8");
const readme = read("packages/gateway/README.md");
const section = /^## Codes\n(.+?)(?=^## )/ms.exec(readme)?.[1] ?? "";
const own = [...section.matchAll(/^\| `([A-Z_]+)` *\| ([^|]+?) *\| ([^|]+?) *\|$/gm)].map(([, code = "", status = "", todo = ""]) => ({
  code,
  status,
  todo,
}));
const ofLibrary = new Set([...read("docs/errors.md").matchAll(/^### `([A-Z_]+)`$/gm)].map(([, code = ""]) => code));
const sources = globSync("packages/{gateway,tokens}/src/**/*.ts", { cwd: root }).map((file) => ({ file, text: read(file) }));
const source = sources.map(({ text }) => text).join("\n");
/** Node's and the parser's own codes are looked at, and never sent. */
const inSource = new Set(
  [...source.matchAll(/"([A-Z]{2,}(?:_[A-Z]+)+|FORBIDDEN|DRAINING|SILENT|RENEW|CLOSED|PIPELINED)"/g)]
    .map(([, code = ""]) => code)
    .filter((code) => !/^(?:ERR|HPE|WS_ERR)_/.test(code)),
);

test("the README explains each code of the gateway's own, once, and no other", () => {
  const codes = own.map(({ code }) => code);
  expect(codes.toSorted()).toEqual([...inSource].filter((code) => !ofLibrary.has(code)).toSorted());
  expect(new Set(own.map(({ todo }) => todo)).size).toBe(own.length);
});

test("each has the status with which it is sent", () => {
  for (const { code, status } of own) {
    const sent = [...source.matchAll(new RegExp(`status: (\\d+), code: "${code}"`, "g"))].map((match) => match[1] ?? "");
    for (const one of sent) expect(status.split(", "), code).toContain(one);
  }
});

test("it names the status of each code of the library that is not 500", () => {
  const table = sources.find(({ file }) => file.endsWith("keyline-status.ts"))?.text ?? "";
  const statuses = [...table.matchAll(/^ {2}([A-Z_]+): (\d+),$/gm)];
  expect(statuses.length).toBeGreaterThan(15);
  for (const [, code = "", status = ""] of statuses) {
    const row = new RegExp(`^\\| ${status} *\\|([^|]+)\\|$`, "m").exec(section)?.[1] ?? "";
    expect(row, code).toContain(`\`${code}\``);
  }
});
