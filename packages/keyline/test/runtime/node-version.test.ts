import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

function importOn(version: string): { readonly code: number | null; readonly errors: string } {
  // Before anything else is imported, as on a Node of that version.
  const text = `Object.defineProperty(process.versions, "node", { value: "${version}" }); await import("keyline");`;
  const args = ["--conditions=development", "--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", text];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" });
  return { code: status, errors: stderr };
}

test.each(["18.20.4", "20.20.2", "22.11.0"])("the package says what it needs when it is imported on Node %s", (version) => {
  const { code, errors } = importOn(version);
  expect(code).toBe(1);
  expect(errors).toContain(`keyline needs Node 22.12 or newer, and this is Node ${version}`);
  expect(errors).toContain("NODE_TOO_OLD");
});

test.each(["22.12.0", "24.0.0"])("on Node %s it loads", (version) => {
  expect(importOn(version)).toEqual({ code: 0, errors: "" });
});
