import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { expect, test } from "vitest";

test("everything that the client exports takes less than 6 KB of a page, and nothing of Node", async () => {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: true,
      target: "es2022",
      // As a page's bundle is made: what is built as a library keeps its white space.
      rolldownOptions: { input: join(import.meta.dirname, "../src/index.ts"), preserveEntrySignatures: "strict" },
      modulePreload: false,
    },
  });
  if (!("output" in result)) throw new Error("Vite built something else");
  const chunks = result.output.flatMap((file) => (file.type === "chunk" ? [file] : []));
  expect(chunks).toHaveLength(1);
  expect(chunks[0]?.imports).toEqual([]);
  const bytes = gzipSync(chunks[0]?.code ?? "").length;
  console.log(`@keyline/client: ${bytes} bytes gzipped`);
  expect(bytes).toBeGreaterThan(1_000);
  expect(bytes).toBeLessThan(6_144);
});
