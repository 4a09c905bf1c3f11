import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { catalog } from "../src/catalog.ts";
import { keyline } from "./support/command.ts";
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
  // A server that takes its time is not waited for.
  await expect.poll(() => complete("jobs", "em"), { timeout: 120_000 }).toEqual(["emails"]);
});
