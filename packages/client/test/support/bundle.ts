import { join } from "node:path";
import { build } from "vite";

export interface Chunk {
  readonly code: string;
  readonly isEntry: boolean;
  readonly imports: readonly string[];
  readonly dynamicImports: readonly string[];
}

/** The client as a page gets it, by the names of its files. */
export async function buildClient(): Promise<ReadonlyMap<string, Chunk>> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: true,
      target: "es2022",
      // As a page's bundle is made: what is built as a library keeps its white space.
      rolldownOptions: { input: join(import.meta.dirname, "../../src/index.ts"), preserveEntrySignatures: "strict" },
      modulePreload: false,
    },
  });
  if (!("output" in result)) throw new Error("Vite built something else");
  return new Map(result.output.flatMap((file) => (file.type === "chunk" ? [[file.fileName, file] as const] : [])));
}
