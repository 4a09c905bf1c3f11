import { inWaves } from "./in-flight.ts";
import { EventStream } from "./event-stream.ts";
import type { ConnectReceivers } from "./receivers.ts";
import { SequenceScanner } from "./sequence-scanner.ts";

/** Sockets that read server-sent events without parsing them. */
export const connectReceivers: ConnectReceivers = async ({ url, channel, count, onMessage, onLost }) => {
  const streams: EventStream[] = [];
  await inWaves(count, async (receiver) => {
    const scanner = new SequenceScanner();
    const onSequence = (seq: number): void => onMessage(receiver, seq);
    streams[receiver] = await EventStream.open(url, { channel, onLost, onBytes: (bytes) => scanner.scan(bytes, onSequence) });
  });
  return {
    close: async () => {
      for (const stream of streams) stream.close();
    },
  };
};
