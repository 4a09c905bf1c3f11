import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import type { FoundProgram } from "../../embedded/src/install/debian-program.ts";
import { catalog } from "../src/catalog.ts";
import { hasTerminals, keyline, plain, startTerminal, writeCommand } from "./support/command.ts";
import { findShells } from "./support/shells.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let shop: Shop;
let shells: Awaited<ReturnType<typeof findShells>>;
const settings = mkdtempSync(join(tmpdir(), "keyline-shells-"));
beforeAll(async () => {
  shop = await openShop();
  shells = await findShells(settings);
});
afterAll(async () => {
  await shop.close();
  rmSync(settings, { recursive: true });
});

test.each([
  ["bash", "-n"],
  ["zsh", "-n"],
  ["fish", "--no-execute"],
] as const)("%s takes its script", async (shell, check) => {
  const folder = mkdtempSync(join(tmpdir(), "keyline-completion-"));
  const { code, stdout, stderr } = await keyline(["completion", shell]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("keyline complete --");
  const file = join(folder, shell);
  writeFileSync(file, stdout);
  const { command, env } = shells[shell];
  const checked = (): object => {
    const { status, error, stderr: said } = spawnSync(command, [check, file], { encoding: "utf8", env: { ...process.env, ...env } });
    return { status, error, said };
  };
  expect(checked()).toEqual({ status: 0, error: undefined, said: "" });
  // It would have said so.
  writeFileSync(file, `${stdout}\nif true; (`);
  expect(checked()).not.toMatchObject({ status: 0 });
  rmSync(folder, { recursive: true });
});

test("what may come next is completed: commands, options, their values, and names of what there is", async () => {
  await shop.app.queue("emails").add(1);
  await shop.known();
  const complete = async (...words: string[]): Promise<string[]> => {
    const { stdout } = await keyline(["complete", "--", ...words], { env: shop.env });
    return stdout.split("\n").flatMap((line) => (line === "" || line.startsWith(":") ? [] : [line.split("\t")[0] ?? ""]));
  };
  const [commands, some, options, values, below] = await Promise.all([
    complete(""),
    complete("re"),
    complete("jobs", "emails", "--"),
    complete("jobs", "emails", "--state", "d"),
    complete("schedules", "r"),
  ]);
  for (const { name } of catalog) expect(commands).toContain(name);
  expect(some).toEqual(["redrive", "resume", "read"]);
  expect(options).toEqual(expect.arrayContaining(["--state", "--limit", "--json", "--valkey"]));
  expect(values).toEqual(["dead"]);
  expect(below).toContain("remove");
  expect(commands).not.toContain("complete");
  // A server that takes its time is not waited for.
  await expect.poll(() => complete("jobs", "em"), { timeout: 120_000 }).toEqual(["emails"]);
  await expect.poll(() => complete("rates", "em"), { timeout: 120_000 }).toEqual(["emails"]);
});

/** A shell on a terminal, in which the command is on PATH and its completion was set up as the guide says. */
async function openShell(
  { command, env }: FoundProgram,
  args: readonly string[],
  setUp: string,
): Promise<{ complete(line: string, pattern: RegExp): Promise<void>; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "keyline-shell-"));
  await writeCommand(join(folder, "keyline"));
  const path = `${folder}:${process.env["PATH"] ?? ""}`;
  const own = { PATH: path, PS1: "ready> ", HOME: folder, XDG_CONFIG_HOME: undefined, XDG_DATA_HOME: undefined, INPUTRC: "/dev/null" };
  const child = startTerminal([command, ...args], { env: { ...shop.env, ...env, ...own }, columns: 100 });
  // A test that fails leaves no shell behind either.
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  let printed = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (printed += chunk));
  // Where a shell goes back to the first column within a line, it goes on where it was.
  const seen = (): string => plain(printed).replaceAll(/\r(?!\n)/g, "");
  child.stdin?.write(`${setUp}\n`);
  let lines = 0;
  return {
    complete: async (line, pattern) => {
      // A line that is begun is taken back first.
      child.stdin?.write(`\u0015echo line $(echo ${++lines})\n`);
      await expect.poll(seen, { timeout: 60_000 }).toContain(`line ${lines}`);
      child.stdin?.write(line);
      await expect.poll(seen, { timeout: 60_000 }).toContain(line);
      printed = "";
      let pressedAt = -Infinity;
      // A server that takes its time is not waited for: whoever sees nothing presses the key again.
      const press = (): string => {
        if (performance.now() - pressedAt > 2_000) {
          child.stdin?.write("\t");
          pressedAt = performance.now();
        }
        return seen();
      };
      await expect.poll(press, { timeout: 120_000 }).toMatch(pattern);
    },
    close: async () => {
      child.stdin?.write("\u0015exit\n");
      await once(child, "close");
    },
  };
}

const fishSetUp = [
  "set -g fish_autosuggestion_enabled 0; function fish_prompt; echo 'ready> '; end; function fish_title; end",
  "mkdir -p ~/.config/fish/completions; keyline completion fish > ~/.config/fish/completions/keyline.fish",
].join("; ");

test.runIf(hasTerminals).each([
  ["bash", ["--norc", "--noprofile", "-i"], "source <(keyline completion bash); source <(keyline completion bash)"],
  ["zsh", ["-d", "-i"], "source <(keyline completion zsh)"],
  ["fish", ["-i"], fishSetUp],
] as const)("%s completes at the press of a key", async (shell, args, setUp) => {
  await shop.app.queue("emails").add(1);
  await shop.app.queue("calls").add(1, { group: "g" });
  await shop.known();
  const { complete, close } = await openShell(shells[shell], args, setUp);
  // What was typed stays as it is, or is drawn again.
  const continues = (line: string, rest: string): Promise<void> => complete(line, new RegExp(`^${rest}|${line}${rest}`));
  await continues("keyline doc", "tor");
  await complete("keyline re", /^(?=[^]*read)(?=[^]*redrive)(?=[^]*resume)/);
  await continues("keyline jobs emails --sta", "te");
  await continues("keyline jobs emails --state d", "ead");
  await continues("keyline jobs emails --state=d", "ead");
  await continues("keyline jobs em", "ails");
  await continues("keyline groups ca", "lls");
  await close();
});

test("fish lists what may come next with what it means", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keyline-shell-"));
  await writeCommand(join(folder, "keyline"));
  const { command, env } = shells.fish;
  const inside = { ...process.env, ...shop.env, ...env, PATH: `${folder}:${process.env["PATH"] ?? ""}`, HOME: folder };
  const complete = (line: string): string =>
    spawnSync(command, ["--no-config", "-c", `keyline completion fish | source; complete -C '${line}'`], { env: inside, encoding: "utf8" })
      .stdout;
  expect(complete("keyline re")).toMatch(/^read\t.*\nredrive\t.*\nresume\t.*\n$/);
  expect(complete("keyline jobs emails --state d")).toMatch(/^dead\t?\n$/);
  rmSync(folder, { recursive: true });
});
