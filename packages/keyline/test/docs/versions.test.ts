import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { betterPostgres } from "../../src/health/postgres-warnings.ts";
import { betterServers } from "../../src/health/valkey-warnings.ts";
import { oldestPostgres } from "../../src/postgres/client/server-check.ts";
import { toFault } from "../../src/valkey/client/faults.ts";
import { oldestRedis } from "../../src/valkey/client/server-check.ts";

const root = new URL("../../../../", import.meta.url);
const redis = `Redis ${oldestRedis.join(".")}`;

test.each(["README.md", "SECURITY.md", "docs/guides/queue.md", "docs/guides/operate.md", "docs/errors.md", "CHANGELOG.md"])(
  "%s names the versions that are the oldest to be accepted, and no others",
  (file) => {
    const text = readFileSync(new URL(file, root), "utf8").replaceAll(/\s+/g, " ").replaceAll(" | ", " ");
    expect(text).toContain(redis);
    for (const [pattern, only] of [
      [/Valkey (?:7\.\d|[0-9]+ or newer)/g, ["Valkey 7.2", "Valkey 8 or newer"]],
      [/Redis \d\.\d/g, [redis]],
      [/PostgreSQL \d+ or newer/g, [`PostgreSQL ${oldestPostgres} or newer`]],
    ] as const) {
      expect([...new Set(text.match(pattern))].sort()).toEqual(only);
    }
  },
);

test("what doctor notes as old is what the guides call better", () => {
  const [operate, queueOperate] = ["operate.md", "queue-operate.md"].map((file) =>
    readFileSync(new URL(`docs/guides/${file}`, root), "utf8"),
  );
  expect(operate).toContain(`PostgreSQL ${oldestPostgres} or newer, better ${betterPostgres}`);
  expect(queueOperate).toContain(`before Valkey ${betterServers.Valkey} or Redis ${betterServers.Redis}`);
  expect(queueOperate).toContain(`before PostgreSQL ${betterPostgres}`);
});

test("the refusal of an older Valkey names them too", () => {
  expect(toFault("SERVER_TOO_OLD", "it is old").message).toMatch(new RegExp(`Valkey 7\\.2 or ${redis} .*Valkey 8 or newer`));
});
