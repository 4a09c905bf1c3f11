import { join } from "node:path";
import { defineConfig } from "vitest/config";

// Hundreds of processes are started that load the sources: what one of them has compiled is there for the next, which then begins in a third of the time.
process.env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/node-compile");

export default defineConfig({
  resolve: { conditions: ["development"] },
  ssr: { resolve: { conditions: ["development"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "bench/test/**/*.test.ts"],
    globalSetup: ["packages/keyline/test/support/servers.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Four files at a time on two cores: each starts servers and processes of its own, and waits for them most of the time.
    maxWorkers: 4,
    // A process runs file after file: to start one for each, and to load the packages in it, took a tenth of all time. What a file leaves
    // behind is its own defect: names of keys and of databases are of the file, servers that it breaks are started by it.
    isolate: false,
  },
});
