// The least that server-sent events which can be resumed cost without a library: messages are numbered as they come from pub/sub, the last
// thousand frames are kept in this process, and a client that comes back with its number gets those behind it in one write. What was published
// while this process was away is lost without a word, and another process counts otherwise: nobody can come back to it.
import { createServer, type ServerResponse } from "node:http";
import { listenAnywhere } from "./listen-anywhere.ts";
import type { OpenLiveServer } from "./live-server.ts";
import { connect } from "./valkey-connection.ts";

const mostKept = 1_000;

export const open: OpenLiveServer = async ({ valkey, channel }) => {
  const subscriber = await connect(valkey);
  const responses = new Set<ServerResponse>();
  const frames: Buffer[] = [];
  let last = 0;
  subscriber.on("message", (_channel: string, text: string) => {
    const frame = Buffer.from(`id: ${++last}\nevent: message\ndata: ${text}\n\n`);
    frames.push(frame);
    if (frames.length > mostKept) frames.shift();
    for (const response of responses) response.write(frame);
  });
  await subscriber.subscribe(channel);
  const server = createServer(({ headers }, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const missed = last - Number(headers["last-event-id"] ?? last);
    if (missed > 0) response.write(Buffer.concat(frames.slice(-missed)));
    else response.write(`id: ${last}\n\n`);
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
};
