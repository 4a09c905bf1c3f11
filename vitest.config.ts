import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["development"] },
  ssr: { resolve: { conditions: ["development"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "bench/test/**/*.test.ts"],
    globalSetup: ["packages/keyline/test/support/servers.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two files at a time: each starts servers and processes of its own.
    maxWorkers: 3,
  },
});
