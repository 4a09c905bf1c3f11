import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { catalog } from "../src/catalog.ts";
import { hasTerminals, keyline, plain, startTerminal, writeCommand } from "./support/command.ts";
import { openShop, type Shop } from "./support/shop.ts";

// Each process of the command takes a moment to start, and much longer on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

test("each shell takes its script", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keyline-completion-"));
  const shells = [
    ["bash", "-n"],
    ["zsh", "-n"],
    ["fish", "--no-execute"],
  ] as const;
  const scripts = await Promise.all(shells.map(([shell]) => keyline(["completion", shell])));
  for (const [index, [shell, check]] of shells.entries()) {
    const { code, stdout, stderr } = scripts[index] ?? {};
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("keyline complete --");
    const file = join(folder, shell);
    writeFileSync(file, stdout ?? "");
    const { status, error, stderr: said } = spawnSync(shell, [check, file], { encoding: "utf8" });
    if (error) continue; // It is not on this machine.
    expect({ status, said }).toEqual({ status: 0, said: "" });
  }
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
});

const hasShell = (shell: string): boolean => spawnSync(shell, ["--version"]).error === undefined;

/** A shell on a terminal, in which the command is on PATH and its completion was set up as the guide says. */
async function openShell(
  command: string,
  setUp: string,
): Promise<{ complete(line: string, pattern: RegExp): Promise<void>; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "keyline-shell-"));
  await writeCommand(join(folder, "keyline"));
  const path = `${folder}:${process.env["PATH"] ?? ""}`;
  const child = startTerminal(command, {
    env: { ...shop.env, PATH: path, PS1: "ready> ", HOME: folder, INPUTRC: "/dev/null" },
    columns: 100,
  });
  let seen = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (seen += plain(chunk)));
  child.stdin?.write(`${setUp}; echo set up $((1 + 1))\n`);
  await expect.poll(() => seen, { timeout: 60_000 }).toContain("set up 2");
  return {
    complete: async (line, pattern) => {
      // A line that is begun is taken back first.
      child.stdin?.write(`\u0015${line}`);
      await expect.poll(() => seen.slice(-line.length - 20), { timeout: 60_000 }).toContain(line);
      seen = "";
      let pressedAt = -Infinity;
      // A server that takes its time is not waited for: whoever sees nothing presses the key again.
      const press = (): string => {
        if (performance.now() - pressedAt > 2_000) {
          child.stdin?.write("\t");
          pressedAt = performance.now();
        }
        return seen;
      };
      await expect.poll(press, { timeout: 120_000 }).toMatch(pattern);
    },
    close: async () => {
      child.stdin?.write("\u0015exit\n");
      await once(child, "close");
      rmSync(folder, { recursive: true });
    },
  };
}

test.runIf(hasTerminals).each([
  ["bash", "bash --norc --noprofile -i", "source <(keyline completion bash); source <(keyline completion bash)"],
  ["zsh", "zsh -f -i", "source <(keyline completion zsh)"],
])("%s completes at the press of a key", async (shell, command, setUp) => {
  if (!hasShell(shell)) return;
  await shop.app.queue("emails").add(1);
  await shop.app.queue("calls").add(1, { group: "g" });
  await shop.known();
  const { complete, close } = await openShell(command, setUp);
  await complete("keyline doc", /^tor/);
  await complete("keyline re", /read[^]*redrive[^]*resume/);
  await complete("keyline jobs emails --sta", /^te/);
  await complete("keyline jobs emails --state d", /^ead/);
  await complete("keyline jobs emails --state=d", /^ead/);
  await complete("keyline jobs em", /^ails/);
  await complete("keyline groups ca", /^lls/);
  await close();
});

const fish = "fish";

test.runIf(hasShell(fish))("fish completes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keyline-shell-"));
  await writeCommand(join(folder, "keyline"));
  const env = { ...process.env, ...shop.env, PATH: `${folder}:${process.env["PATH"] ?? ""}`, HOME: folder };
  const complete = (line: string): string =>
    spawnSync(fish, ["--no-config", "-c", `keyline completion fish | source; complete -C '${line}'`], { env, encoding: "utf8" }).stdout;
  expect(complete("keyline re")).toMatch(/^read\t.*\nredrive\t.*\nresume\t.*\n$/);
  expect(complete("keyline jobs emails --state d")).toMatch(/^dead\t?\n$/);
  rmSync(folder, { recursive: true });
});
