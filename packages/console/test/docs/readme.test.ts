import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { secret } from "../support/console-server.ts";

const root = join(import.meta.dirname, "../../../..");
const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
const snippets = [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({ language, text }));
const programs = snippets.filter(({ language }) => language === "ts").map(({ text }) => text);
const programWith = (text: string): string => programs.find((program) => program.includes(text)) ?? "";

/** The snippets behind the first one take what it makes for granted. */
const [first = ""] = programs;
const made = first
  .slice(0, first.indexOf("const app"))
  .replace(", mountFastify", "")
  .replace(/import \{ fastify \}.*\n/, "");
const toProgram = (text: string): string => (/\boperations\b/.test(text) && text !== first ? made + text : text);

// In this folder, from which the packages are found.
const folder = mkdtempSync(join(import.meta.dirname, ".tmp-"));
writeFileSync(join(folder, ".gitignore"), "*\n");

let stage: Stage;
let token: string;
beforeAll(async () => {
  stage = await openStage();
  await stage.keyline().migrate();
  token = await run(["--conditions=development", write("token.ts", programWith("SignJWT"))]);
});
afterAll(async () => {
  await stage.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), `${text}\nexport {};\n`);
  return join(folder, name);
};
const env = { ...process.env, CONSOLE_SECRET: secret };

async function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      resolve(`${stdout}${stderr}${error ? `exit ${String(error.code)}` : ""}`.trim());
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("every snippet has the right types", async () => {
  expect(snippets.map(({ language }) => language)).toEqual(["sh", ...programs.map(() => "ts")]);
  const files = programs.map((text, index) => relative(folder, write(`types-${index}.ts`, toProgram(text))));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: relative(folder, join(root, "tsconfig.json")), include: files }));
  expect(await run([join(root, "node_modules/typescript/bin/tsc"), "--noEmit", "-p", join(folder, "tsconfig.json")])).toBe("");
}, 120_000);

describe.concurrent("whom the README's token names is let in by the server of", () => {
  test.each(["mountFastify(", "mountExpress(", "mountHono(", "mountNode("])(
    "%s…)",
    async (mount) => {
      const name = mount.slice(0, -1);
      const port = await freePort();
      const program = toProgram(programWith(mount))
        .replace('"valkey://localhost:6379"', `"${stage.valkeyUrl}", prefix: "${stage.prefix}"`)
        .replace("postgres://localhost/sales", stage.databaseUrl)
        .replace("3000", String(port));
      const child = spawn(process.execPath, ["--conditions=development", write(`${name}.ts`, program)], { env, stdio: "inherit" });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      try {
        const ask = async (path: string, headers: Record<string, string> = {}): Promise<Response | undefined> =>
          fetch(`http://127.0.0.1:${port}${path}`, { headers }).catch(() => undefined);
        await eventually("it listens", async () => (await ask("/console/api/me"))?.status === 401, 60_000);
        const me = await ask("/console/api/me", { authorization: `Bearer ${token}` });
        expect(await me?.json()).toMatchObject({
          who: "ann@example.com",
          role: "operator",
          redacted: expect.arrayContaining(["customer.phone"]),
        });
        expect((await ask("/elsewhere"))?.status).toBe(404);
      } finally {
        child.kill();
        await ended;
      }
    },
    90_000,
  );
});
