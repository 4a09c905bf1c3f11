import { expect, test } from "vitest";
import { readAddresses } from "../src/connection/addresses.ts";
import { explain } from "../src/explain-error.ts";

test("one address is a server, several are a cluster, and with a name they are sentinels", () => {
  expect(readAddresses({}, {})).toEqual({
    options: { valkey: "valkey://localhost:6379" },
    valkeyName: "Valkey at localhost:6379",
    postgresName: undefined,
    valkeyNodes: [{ host: "localhost", port: 6379 }],
    secrets: [],
  });
  const several = "valkeys://ann:pass%20word@a:7000,valkeys://[::1]";
  expect(readAddresses({ valkey: several }, {}).options.valkey).toEqual({
    cluster: [{ host: "a", port: 7000 }, { host: "::1" }],
    username: "ann",
    password: "pass word",
    tls: true,
  });
  expect(readAddresses({}, { VALKEY_URL: "valkey://s1:26379/3,valkey://s2:26379", VALKEY_SENTINEL: "shop" })).toMatchObject({
    options: {
      valkey: {
        sentinels: [
          { host: "s1", port: 26_379 },
          { host: "s2", port: 26_379 },
        ],
        name: "shop",
        db: 3,
      },
    },
    valkeyName: "Valkey at s1:26379/3, s2:26379",
  });
});

test("the command line goes before the environment", () => {
  const env = { VALKEY_URL: "valkey://env", DATABASE_URL: "postgres://env/db", KEYLINE_PREFIX: "env", VALKEY_SENTINEL: "" };
  expect(readAddresses({}, env).options).toEqual({ valkey: "valkey://env", postgres: "postgres://env/db", prefix: "env" });
  expect(readAddresses({ valkey: "valkey://cli", postgres: "postgres://cli/db", prefix: "cli" }, env).options).toEqual({
    valkey: "valkey://cli",
    postgres: "postgres://cli/db",
    prefix: "cli",
  });
});

test("no password gets into what is said, however the error came to have it", () => {
  const addresses = readAddresses(
    { valkey: "valkey://:p%40ss-word@a,valkey://:other-word@b", postgres: "postgres://ann@c/db?password=third-word" },
    {},
  );
  const { text } = explain(new Error("tried p%40ss-word, p@ss-word, other-word and third-word\u001b[2J"), addresses);
  expect(text).toBe("tried ***, ***, *** and ***\\u001b[2J");
  // A letter is in every word: only where a password stands is it one.
  const short = readAddresses({ valkey: "valkey://:x@a" }, {});
  expect(explain(new Error("the next is at valkey://:x@a, x marks it"), short).text).toBe("the next is at valkey://:***@a, x marks it");
  expect(addresses.valkeyName + addresses.postgresName).not.toMatch(/word/);
});
