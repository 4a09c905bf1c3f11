import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

// Both formats of sources.list(5): lines ("deb [options] uri suite components") and stanzas of fields (deb822).

/** An archive that this machine takes packages from. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Other fields, by their deb822 name, of those that we pass on: above all Signed-By, which may hold a key as well as a path. */
  readonly fields: Readonly<Record<string, string>>;
}

// "Trusted" is not among them: what we download is verified, even from an archive that the machine would believe unsigned.
const fieldsPassedOn = new Map([
  ["signed-by", "Signed-By"],
  ["architectures", "Architectures"],
  ["arch", "Architectures"],
  ["check-valid-until", "Check-Valid-Until"],
]);

const suffixesOfDistribution = ["", "-updates", "-security", "-backports"];

/** What the machine's apt is configured with. */
export function readAptSources(folder = "/etc/apt"): readonly AptSource[] {
  const parts = join(folder, "sources.list.d");
  const files = existsSync(parts) ? readdirSync(parts).toSorted() : [];
  return [join(folder, "sources.list"), ...files.map((file) => join(parts, file))].filter(existsSync).flatMap((file) => {
    if (file.endsWith(".sources")) return parseStanzas(readFileSync(file, "utf8"));
    return file.endsWith(".list") ? parseLines(readFileSync(file, "utf8")) : [];
  });
}

export function parseLines(text: string): readonly AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?([^\s[]+)\s+(\S+)([^#]*)/.exec(line);
    if (!match) return [];
    const [, options = "", uri = "", suite = "", components = ""] = match;
    const pairs = Array.from(options.matchAll(/([\w-]+)\+?=("[^"]*"|\S+)/g), ([, name = "", value = ""]): [string, string] => [
      name,
      value.replaceAll('"', "").replaceAll(",", " "),
    ]);
    return [{ uris: [uri], suites: [suite], components: words(components), fields: passedOn(pairs) }];
  });
}

export function parseStanzas(text: string): readonly AptSource[] {
  const withoutComments = text.replaceAll(/^#.*\n?/gm, "");
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const pairs = Array.from(stanza.matchAll(/^([\w-]+):((?:.*)(?:\n[ \t].*)*)/gm), ([, name = "", value = ""]): [string, string] => [
      name.toLowerCase(),
      value.trim(),
    ]);
    const { types = "", uris = "", suites = "", components = "", enabled = "yes" } = Object.fromEntries(pairs);
    if (!words(types).includes("deb") || /^(no|false|0|off|disable)$/i.test(enabled)) return [];
    return [{ uris: words(uris), suites: words(suites), components: words(components), fields: passedOn(pairs) }];
  });
}

/** The distribution's own archives among them: those that carry its release, its updates and security fixes. */
export function distributionSources(sources: readonly AptSource[], codename: string): readonly AptSource[] {
  const base = sources.some((source) => source.suites.includes(codename)) ? codename : "stable";
  const wanted = new Set(suffixesOfDistribution.map((suffix) => base + suffix));
  return sources
    .filter((source) => source.components.includes("main"))
    .map((source) => ({ ...source, suites: source.suites.filter((suite) => wanted.has(suite)) }))
    .filter((source) => source.suites.length > 0);
}

/** The backports that belong to them: same archive, same key, next suite. */
export function backportsOf(sources: readonly AptSource[]): readonly AptSource[] {
  return sources.flatMap((source) => {
    const suites = source.suites.filter((suite) => !suite.includes("-")).map((suite) => `${suite}-backports`);
    return suites.length === 0 ? [] : [{ ...source, suites, components: ["main"] }];
  });
}

/** As a file with the ending .sources. */
export function formatStanzas(sources: readonly AptSource[]): string {
  return sources
    .map((source) => {
      const fields = Object.entries(source.fields).map(([name, value]) => `${name}: ${value}\n`);
      return (
        `Types: deb\nURIs: ${source.uris.join(" ")}\nSuites: ${source.suites.join(" ")}\n` +
        `Components: ${source.components.join(" ")}\n${fields.join("")}`
      );
    })
    .join("\n");
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter(Boolean);
}

function passedOn(pairs: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.flatMap(([name, value]) => {
      const field = fieldsPassedOn.get(name);
      return field === undefined ? [] : [[field, value]];
    }),
  );
}
