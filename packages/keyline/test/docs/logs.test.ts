import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { logCalls } from "../support/log-calls.ts";

const root = join(import.meta.dirname, "../../../..");
const calls = logCalls(root, [
  "packages/keyline/src",
  "packages/gateway/src",
  "packages/console/src",
  "packages/cli/src",
  "packages/tokens/src",
]);
const guide = readFileSync(join(root, "docs/guides/logs.md"), "utf8");

function documented(level: string): string[] {
  const section = guide.split(/^## /m).find((part) => part.startsWith(`${level}\n`)) ?? "";
  return [...section.matchAll(/^(?:\| |- )`([^`]+)`/gm)].map(([, message = ""]) => message);
}

test.each(["error", "warn", "info", "debug"])("the guide lists what is logged as %s, and nothing else", (level) => {
  const messages = new Set(calls.filter((call) => call.level === level).map(({ message }) => message.replaceAll("`", "")));
  expect(documented(level).toSorted((a, b) => a.localeCompare(b))).toEqual([...messages].toSorted((a, b) => a.localeCompare(b)));
});

test("every call of a logger has a level and a message that could be read", () => {
  expect(calls.length).toBeGreaterThan(90);
  expect(calls.filter(({ level, message }) => level === "?" || message === "")).toEqual([]);
});

test("no line has an error with all that is in it, nor anything that a payload or a password is in", () => {
  const wholeError = /\berror: error\b(?!\.)|\{ error \}|, error \}/;
  const sent = /\b(?:data|dataJson|raw|payload|element|password)\b(?!\??\.id)/;
  const wrong = calls.filter(({ details }) => wholeError.test(details) || sent.test(details));
  expect(wrong).toEqual([]);
});

describe("every line of the library has its queue, stream or channel where it is of one", () => {
  const ofLibrary = calls.filter(({ place }) => place.startsWith("packages/keyline/"));

  /** The loggers of these have the name already: they are made where the rule below looks, or by a file of these. Families are of all queues; a subscription has its channel in its `key`. */
  const named = /^packages\/keyline\/src\/(?:(?:queue(?!\/families)|stream|channel|work|figures)\/|runtime\/emitter)/;
  const ofAll = new Set([
    "Valkey cannot be used as it is",
    "Valkey connection failed; reconnecting",
    "Valkey throws away jobs, messages and events when its memory is full: set its maxmemory-policy to noeviction",
    "PostgreSQL is away; transactional queues wait for it",
    "PostgreSQL is back",
    "PostgreSQL is read-only; transactional queues wait until it takes writes",
    "PostgreSQL is still away",
    "PostgreSQL takes no writes yet",
    "PostgreSQL has forgotten prepared statements, as behind a pooler or after DISCARD ALL: they are sent by their texts for a while",
    "a blocking read could not be interrupted; it connects again",
    "committed messages could not be published yet; it is tried again",
    "families could not be looked after; it is tried again",
    "families could not be looked through; it is tried again",
    "old events could not be dropped; it is tried again",
    "the cluster's slots could not be looked up yet",
    "the directory could not be read in PostgreSQL",
    "the directory could not be read on Valkey",
    "the relay could not look for undelivered jobs; it tries again",
    "the server's clock could not be asked for",
    "waiting for stream entries failed; it is tried again",
    "what this process uses could not be noted in the directory",
  ]);

  test("in its details, unless its logger has it, or it is of all of them", () => {
    const nameless = ofLibrary.filter(({ details, place }) => !named.test(place) && !/\b(?:queue|stream|channel|key)\b/.test(details));
    expect(nameless.filter(({ message }) => !ofAll.has(message))).toEqual([]);
    expect(new Set(nameless.map(({ message }) => message))).toEqual(ofAll);
  });

  test("as the Keyline's logger gets it where it is handed on, but to what is of all of them, or says itself of which one", () => {
    const takers = [
      "EventKeeper",
      "EventRelay",
      "FamilyCarrier",
      "JobRelay",
      "ListedChannels",
      "LiveTopic",
      "MessageReader",
      "MessageRelay",
      "RowFamilies",
    ];
    const files = globSync(
      "packages/keyline/src/{queue/queues,queue/create-parts,queue/families/plain-families,stream/streams,stream/create-parts,channel/channels}.ts",
      {
        cwd: root,
      },
    );
    expect(files).toHaveLength(6);
    const handed = files.flatMap((file) => {
      const lines = readFileSync(join(root, file), "utf8").split("\n");
      return lines
        .filter((line) => /(?:[sS]etup|#parts)\.logger\b(?!\.)/.test(line) && !line.includes("withFields("))
        .map((line) => line.trim());
    });
    expect(handed.length).toBeGreaterThan(5);
    const toWhom = new RegExp(`new (?:Sightings|${takers.join("|")})\\b`);
    expect(handed.filter((line) => !toWhom.test(line))).toEqual([]);
  });
});
