import { publisherFor } from "../contenders/open-live-server.ts";
import { openPlainChannel } from "../contenders/open-plain-channel.ts";
import type { PlainChannelOptions } from "../contenders/plain-channel.ts";
import { connectReceivers } from "../contenders/open-receivers.ts";
import type { Task } from "../process/stage.ts";
import { Deliveries } from "./deliveries.ts";

export interface HoldConnectionsParams {
  readonly contender: string;
  readonly url: string;
  readonly options: PlainChannelOptions;
  readonly connections: number;
}

/** Connects clients, which then wait until the bench has looked; one message at the end proves that all of them are there. */
export const holdConnections: Task<HoldConnectionsParams, null, { readonly irregularity: string | undefined }> = async (
  { contender, url, options, connections },
  stage,
) => {
  const channel = await openPlainChannel(publisherFor(contender), options);
  const deliveries = new Deliveries(connections, 1);
  const receivers = await connectReceivers(contender, {
    url,
    channel: options.name,
    count: connections,
    onMessage: (receiver, seq) => deliveries.record(receiver, seq),
    onLost: (reason) => deliveries.note(reason),
  });
  await stage.measure(async () => null);
  await channel.publish(0);
  await deliveries.reach(1);
  await receivers.close();
  await channel.close();
  return { irregularity: deliveries.irregularity };
};
