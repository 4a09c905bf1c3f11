#!/usr/bin/env node
import { enableCompileCache } from "node:module";

// Half of the time that a short command takes is reading its modules.
enableCompileCache();

// Whoever read the output has seen enough, as `head` has: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

const { run } = await import("./program.ts");
await run(process.argv.slice(2));
// What an address that does not answer leaves behind in the client would keep the process for seconds. All that was written is out then.
process.stdout.write("", () => process.exit());
