import type { PrismaPg } from "@prisma/adapter-pg";
import { getPrismaClient } from "@prisma/client/runtime/client";

interface RawQueries {
  $queryRawUnsafe<Rows = unknown>(text: string, ...values: unknown[]): Promise<Rows>;
  $executeRawUnsafe(text: string, ...values: unknown[]): Promise<number>;
}

interface Prisma extends RawQueries {
  $transaction<Result>(work: (tx: RawQueries) => Promise<Result>): Promise<Result>;
  $disconnect(): Promise<void>;
}

const runtime = "@prisma/client/runtime/query_compiler_fast_bg.postgresql";

/**
 * What `prisma generate` of Prisma 7.10 writes for a schema without models, with the types that are needed here. Its command-line program asks for a binary from
 * Prisma's own server before it writes anything, which not every machine can reach.
 */
export const PrismaClient = getPrismaClient({
  previewFeatures: [],
  clientVersion: "7.10.0",
  engineVersion: "d1b3f377ca835d73fd50954a5e22128b9ebdd6b8",
  activeProvider: "postgresql",
  inlineSchema: 'generator client {\n  provider = "prisma-client"\n}\n\ndatasource db {\n  provider = "postgresql"\n}\n',
  runtimeDataModel: { models: {}, enums: {}, types: {} },
  parameterizationSchema: { strings: [], graph: "AAAA" },
  compilerWasm: {
    getRuntime: async () => (await import(`${runtime}.mjs`)) as never,
    getQueryCompilerWasmModule: async () => {
      const { wasm } = (await import(`${runtime}.wasm-base64.mjs`)) as { readonly wasm: string };
      return new WebAssembly.Module(Buffer.from(wasm, "base64"));
    },
    importName: "./query_compiler_fast_bg.js",
  },
}) as unknown as new (options: { readonly adapter: PrismaPg }) => Prisma;
