import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PrivateApt } from "../src/install/private-apt.ts";
import { findOnPath, runCommand } from "../src/process/command.ts";

test.runIf(findOnPath("apt-get"))("apt takes our configuration: folders, archives and verification", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));
  const apt = new PrivateApt(folder);
  const fields = { "Signed-By": "/usr/share/keyrings/a.gpg" };
  await apt.update([{ uris: ["file:/nowhere"], suites: ["bookworm"], components: ["main"], fields }]);
  expect(readFileSync(join(folder, "archive.sources"), "utf8")).toContain("Suites: bookworm\n");
  const config = await runCommand("apt-config", ["--config-file", join(folder, "apt.conf"), "dump"]);
  expect(config).toContain(`Dir::State "${folder}/state"`);
  expect(config).toContain(`Dir::Etc::sourceparts "-"`);
  expect(config).toContain('APT::Get::AllowUnauthenticated "false"');
  // A cleared list is still named, with nothing in it.
  expect(config).not.toMatch(/^(APT::Update|DPkg)::P\w+-Invoke\S* "[^"]/m);
  expect(await apt.versionsOf("valkey-server")).toEqual([]);
  rmSync(folder, { recursive: true });
});
