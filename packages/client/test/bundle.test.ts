import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { buildClient } from "./support/bundle.ts";

test("what a page loads of the client takes less than 7.5 KB, what only pages load that no WebSocket can leave 3 KB more, and nothing is of Node", async () => {
  const chunks = await buildClient();
  const [entry] = [...chunks].find(([, { isEntry }]) => isEntry) ?? [];
  if (!entry) throw new Error("There is no entry");
  // Nothing that is imported is outside of the bundle.
  const filesOf = (name: string): string[] => [name, ...(chunks.get(name)?.imports ?? []).flatMap(filesOf)];
  for (const chunk of chunks.values()) for (const name of [...chunk.imports, ...chunk.dynamicImports]) expect(chunks.has(name)).toBe(true);
  const sizeOf = (names: Iterable<string>): number => {
    return [...new Set(names)].reduce((sum, name) => sum + gzipSync(chunks.get(name)?.code ?? "").length, 0);
  };
  const bytes = sizeOf(filesOf(entry));
  const rest = sizeOf(chunks.keys()) - bytes;
  console.log(`@keyline/client: ${bytes} bytes gzipped, and ${rest} where no WebSocket gets through`);
  expect(bytes).toBeGreaterThan(1_000);
  expect(bytes).toBeLessThan(7_680);
  expect(rest).toBeGreaterThan(1_000);
  expect(rest).toBeLessThan(3_072);
});
