// Starts the servers named by its arguments, prints what a test needs to find them, and then does what the last argument says.
import { startPostgres, startValkey } from "../src/index.ts";

const [kind, then] = process.argv.slice(2);
const server = kind === "postgres" ? await startPostgres() : await startValkey();
if (then === "killed-server") await server.kill();
console.log(JSON.stringify({ pid: server.pid, dir: server.dir }));
// Left to itself, the process ends here: a server does not keep it alive.
if (then !== "end") setInterval(() => undefined, 60_000);
