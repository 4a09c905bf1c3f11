import { once } from "node:events";
import { createServer } from "node:net";

// Below the range from which outgoing connections take their ports, and beside the one of the embedded servers: a site that is away for a moment finds
// its port free when it comes back.
const first = 10_000;
const count = 10_000;

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + Math.floor(Math.random() * count);
    const probe = createServer();
    try {
      probe.listen({ host: "127.0.0.1", port });
      await once(probe, "listening");
    } catch {
      continue;
    }
    probe.close();
    await once(probe, "close");
    return port;
  }
}
