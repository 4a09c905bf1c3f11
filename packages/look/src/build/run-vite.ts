import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const builderFile = join(import.meta.dirname, "vite-build.ts");

interface Target {
  readonly outDir: string;
  /** Where it is served: "/shop/", or "./" for anywhere. */
  readonly base: string;
}

/** Builds the page of the folder `root`, in a process that ends with it. */
export async function runVite(root: string, { outDir, base }: Target): Promise<void> {
  const builder = fork(builderFile, [root, outDir, base], {
    // Not that of a process such as a test's, which would make the page for developing.
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let complaints = "";
  builder.stderr?.on("data", (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-4_000)));
  const [code, signal] = (await once(builder, "close")) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`The page in ${root} could not be built (${signal ?? `exit code ${code}`}): ${complaints}`);
}
