import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { Keyline } from "keyline";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../support/stage.ts";

interface Snippet {
  /** The file and the line at which it begins. */
  readonly name: string;
  readonly language: string;
  readonly text: string;
}

const root = join(import.meta.dirname, "../../../..");
const guides = (await readdir(join(root, "docs/guides"))).filter((file) => file.endsWith(".md")).map((file) => join("docs/guides", file));
const snippets = ["README.md", "packages/keyline/README.md", ...guides].flatMap((file) => readSnippets(file));
const programs = snippets.filter(({ language }) => language === "ts");
const statements = snippets.filter(({ language }) => language === "sql");

// In this folder, from which the packages are found. Node strips no types below node_modules.
const folder = mkdtempSync(join(import.meta.dirname, ".tmp-"));
writeFileSync(join(folder, ".gitignore"), "*\n");
// Stands for what Prisma's own program would write beside a service.
mkdirSync(join(folder, "generated"));
writeFileSync(join(folder, "generated/client.ts"), 'export { PrismaClient } from "../../../support/prisma-client.ts";\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function readSnippets(file: string): Snippet[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^```(ts|sql|sh)\n(.*?)^```$/gms)].map((match) => ({
    name: `${file}:${text.slice(0, match.index).split("\n").length}`,
    language: match[1] ?? "",
    text: match[2] ?? "",
  }));
}

/** A snippet that shows a service runs until it is stopped; here it is stopped once it has begun. */
function toProgram({ text }: Snippet): string {
  return !text.includes("keyline = ") || text.includes("keyline.close()") || text.includes(".close()]")
    ? text
    : `${text}\nawait keyline.close();\n`;
}

function run(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...args, file], { timeout: 110_000, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

async function createTable(stage: Stage): Promise<void> {
  await stage.pool.query(statements[0]?.text ?? "");
}

test("there are snippets of every kind", () => {
  expect(programs.length).toBeGreaterThanOrEqual(10);
  expect(statements[0]?.text).toMatch(/^CREATE TABLE orders/);
});

test("every ts snippet has the right types", async () => {
  const files = programs.map((snippet, index) => {
    writeFileSync(join(folder, `types-${index}.ts`), toProgram(snippet));
    return `types-${index}.ts`;
  });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: relative(folder, join(root, "tsconfig.json")), include: files }));
  const { code, stdout } = await run(join(folder, "tsconfig.json"), [join(root, "node_modules/typescript/bin/tsc"), "--noEmit", "-p"]);
  const complaints = stdout.replace(/\S*types-(\d+)\.ts/g, (_, index) => programs[Number(index)]?.name ?? "?");
  expect(complaints).toBe("");
  expect(code).toBe(0);
}, 120_000);

describe.concurrent("every ts snippet runs, ends, and prints what it says", () => {
  const numbered = programs.map((snippet, index) => ({ ...snippet, index }));
  test.each(numbered)(
    "$name",
    async (snippet) => {
      const stage = await openStage();
      await createTable(stage);
      const file = join(folder, `run-${snippet.index}.ts`);
      // Each has a numbered database of Valkey, and a prefix: what is published on a channel is heard in all databases.
      const valkeyUrl = `${stage.valkeyUrl.replace(/\/$/, "")}/${1 + (snippet.index % 63)}`;
      const program = toProgram(snippet)
        .replaceAll("new Keyline({", `new Keyline({ prefix: "kl${snippet.index}",`)
        .replaceAll("valkey://localhost:6379", valkeyUrl)
        .replaceAll("postgres://localhost/sales", stage.databaseUrl);
      writeFileSync(file, program);
      const { code, stdout, stderr } = await run(file, ["--conditions=development"], {
        VALKEY_URL: valkeyUrl,
        DATABASE_URL: stage.databaseUrl,
      });
      expect(stderr).toBe("");
      expect(code).toBe(0);
      const printed = stdout.split("\n").filter((line) => line !== "");
      expect(printed).toEqual([...snippet.text.matchAll(/\/\/ prints: (.*)$/gm)].map((match) => match[1]));
      await stage.close();
    },
    60_000,
  );
});

describe("every sql snippet is right", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
    await stage.keyline().migrate();
    await stage.pool.query("DO $$ BEGIN CREATE ROLE shop LOGIN PASSWORD 'shop'; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
  });
  afterAll(() => stage.close());

  test.each(statements)("$name", async ({ text }) => {
    await stage.pool.query(text);
  });

  test("the rights that the guide grants are enough for a service, and the row that it inserts becomes a job", async () => {
    const url = new URL(stage.databaseUrl);
    url.username = "shop";
    url.password = "shop";
    const pool = new pg.Pool({ connectionString: url.href });
    const keyline = new Keyline({ valkey: stage.valkeyUrl, postgres: pool, prefix: stage.prefix });
    const orders = keyline.queue<{ orderId: number }>("orders", { transactional: true, backoff: { type: "fixed", delay: 10 } });
    const attempts: string[] = [];
    const settled = Promise.withResolvers<boolean>();
    const worker = orders.work(async (job, { settle }) => {
      attempts.push(`${job.data.orderId} ${job.attempt}`);
      if (job.attempt === 1) throw new Error("to write the row");
      settled.resolve(await settle(async () => undefined));
    });
    expect(await settled.promise).toBe(true);
    expect(attempts).toEqual(["7 1", "7 2"]);
    await worker.stop();
    await keyline.close();
    await pool.end();
  });
});

test("the element that the guide pushes from a shell becomes a job", async () => {
  const shell = snippets.filter(({ language }) => language === "sh").find(({ text }) => text.includes("LPUSH"));
  const [, key = "", element = ""] = /LPUSH '([^']+)' '([^']+)'/.exec(shell?.text ?? "") ?? [];
  const stage = await openStage();
  const emails = stage.keyline().queue<{ to: string }>("emails");
  await stage.valkey.lpush(key.replace(/^kl:/, `${stage.prefix}:`), element);
  const job = Promise.withResolvers<string>();
  const worker = emails.work(({ id, data }) => job.resolve(`${id} ${data.to}`));
  expect(await job.promise).toBe("from-the-shell-1 ada@example.com");
  await worker.stop();
  await stage.close();
});
