import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { listenAnywhere } from "./listen-anywhere.ts";
import type { LiveServer, LiveServerOptions } from "./live-server.ts";
import { connect } from "./valkey-connection.ts";

interface Framing {
  /** What is written to every response for a message. */
  frameOf(text: string): Buffer;
  /** What a response begins with. */
  openingOf(headers: IncomingHttpHeaders): Buffer | string;
}

/** What pub/sub brings is framed once and written to every response. */
export async function openBareSse({ valkey, channel }: LiveServerOptions, { frameOf, openingOf }: Framing): Promise<LiveServer> {
  const subscriber = await connect(valkey);
  const responses = new Set<ServerResponse>();
  subscriber.on("message", (_channel: string, text: string) => {
    const frame = frameOf(text);
    for (const response of responses) response.write(frame);
  });
  await subscriber.subscribe(channel);
  const server = createServer(({ headers }, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(openingOf(headers));
    responses.add(response);
    response.on("close", () => responses.delete(response));
  });
  return {
    url: await listenAnywhere(server),
    close: async () => {
      server.closeAllConnections();
      server.close();
      subscriber.disconnect();
    },
  };
}
