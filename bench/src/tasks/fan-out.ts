import { publisherFor } from "../contenders/open-live-server.ts";
import { openPlainChannel } from "../contenders/open-plain-channel.ts";
import type { PlainChannelOptions } from "../contenders/plain-channel.ts";
import { connectReceivers } from "../contenders/open-receivers.ts";
import type { Task } from "../process/stage.ts";
import { Deliveries } from "./deliveries.ts";
import { publishWindowed } from "./publish-windowed.ts";

export interface FanOutParams {
  readonly contender: string;
  readonly url: string;
  readonly options: PlainChannelOptions;
  readonly connections: number;
  readonly messages: number;
  /** How many of the messages pass before the clock starts. */
  readonly lead: number;
  /** Messages on their way at once. */
  readonly window: number;
}

/** Many clients of a live server, and the publisher whose messages all of them get. */
export const fanOut: Task<FanOutParams, { readonly elapsedMs: number }, { readonly irregularity: string | undefined }> = async (
  { contender, url, options, connections, messages, lead, window },
  stage,
) => {
  const channel = await openPlainChannel(publisherFor(contender), options);
  const deliveries = new Deliveries(connections, messages);
  const receivers = await connectReceivers(contender, {
    url,
    channel: options.name,
    count: connections,
    onMessage: (receiver, seq) => deliveries.record(receiver, seq),
    onLost: (reason) => deliveries.note(reason),
  });
  await publishWindowed(channel, { range: { from: 0, to: lead }, window, deliveries });
  await stage.measure(async () => {
    const start = performance.now();
    await publishWindowed(channel, { range: { from: lead, to: messages }, window, deliveries });
    return { elapsedMs: performance.now() - start };
  });
  await receivers.close();
  await channel.close();
  return { irregularity: deliveries.irregularity };
};
