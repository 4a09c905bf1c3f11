import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { backportsOf, distributionSources, formatStanzas, parseLines, parseStanzas, readAptSources } from "../src/install/apt-sources.ts";

const lines = `
# deb http://archive.example/debian bookworm main
deb http://archive.example/debian bookworm main contrib # the release
deb-src http://archive.example/debian bookworm main
deb [ arch=amd64,arm64 signed-by=/usr/share/keyrings/a.gpg trusted=yes ] https://mirror.example/debian bookworm-updates main
deb [arch=amd64] https://vendor.example/apt bookworm stable
`;

const stanzas = `
# The release
Types: deb deb-src
URIs: http://archive.example/debian https://second.example/debian
Suites: bookworm bookworm-updates
Components: main
# between fields
Signed-By: /usr/share/keyrings/a.gpg

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main

types: deb
uris: http://security.example/debian-security
suites: bookworm-security
components: main
trusted: yes
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS
 -----END PGP PUBLIC KEY BLOCK-----
`;

test("lines: comments and sources of source code are skipped, options are read, trust is not", () => {
  expect(parseLines(lines)).toEqual([
    { uris: ["http://archive.example/debian"], suites: ["bookworm"], components: ["main", "contrib"], fields: {} },
    {
      uris: ["https://mirror.example/debian"],
      suites: ["bookworm-updates"],
      components: ["main"],
      fields: { Architectures: "amd64 arm64", "Signed-By": "/usr/share/keyrings/a.gpg" },
    },
    { uris: ["https://vendor.example/apt"], suites: ["bookworm"], components: ["stable"], fields: { Architectures: "amd64" } },
  ]);
});

test("stanzas: what is disabled is skipped, several values and a key in place of a path are kept", () => {
  const [release, security, ...rest] = parseStanzas(stanzas);
  expect(rest).toEqual([]);
  expect(release).toEqual({
    uris: ["http://archive.example/debian", "https://second.example/debian"],
    suites: ["bookworm", "bookworm-updates"],
    components: ["main"],
    fields: { "Signed-By": "/usr/share/keyrings/a.gpg" },
  });
  expect(security?.suites).toEqual(["bookworm-security"]);
  expect(security?.fields["Signed-By"]).toMatch(/^-----BEGIN[^]*\n -----END PGP PUBLIC KEY BLOCK-----$/);
  expect(security?.fields).not.toHaveProperty("Trusted");
});

test("what is written is read back the same", () => {
  const sources = [...parseLines(lines), ...parseStanzas(stanzas)];
  expect(parseStanzas(formatStanzas(sources))).toEqual(sources);
});

test("the distribution's archives are told from a vendor's, and give the backports", () => {
  const sources = distributionSources([...parseLines(lines), ...parseStanzas(stanzas)], "bookworm");
  expect(sources.flatMap((source) => source.uris)).not.toContain("https://vendor.example/apt");
  expect(sources.flatMap((source) => source.suites)).toContain("bookworm-security");
  const backports = backportsOf(sources);
  expect(backports.map((source) => [source.uris, source.suites])).toEqual([
    [["http://archive.example/debian"], ["bookworm-backports"]],
    [["http://archive.example/debian", "https://second.example/debian"], ["bookworm-backports"]],
  ]);
  expect(backports[1]?.fields).toEqual({ "Signed-By": "/usr/share/keyrings/a.gpg" });
});

test("a machine that says stable in place of a codename is understood", () => {
  const sources = distributionSources(parseLines("deb http://archive.example/debian stable main"), "bookworm");
  expect(backportsOf(sources)[0]?.suites).toEqual(["stable-backports"]);
});

test("both formats are read from the folder, and files with other endings are not", () => {
  const folder = mkdtempSync(join(tmpdir(), "keyline-test-"));
  mkdirSync(join(folder, "sources.list.d"));
  writeFileSync(join(folder, "sources.list"), "deb http://one.example/debian bookworm main\n");
  writeFileSync(join(folder, "sources.list.d", "two.sources"), "Types: deb\nURIs: http://two.example\nSuites: s\nComponents: main\n");
  writeFileSync(join(folder, "sources.list.d", "three.list.disabled"), "deb http://three.example/debian bookworm main\n");
  expect(readAptSources(folder).flatMap((source) => source.uris)).toEqual(["http://one.example/debian", "http://two.example"]);
  rmSync(folder, { recursive: true });
});
