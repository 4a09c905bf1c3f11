import { openPlainChannel } from "../contenders/open-plain-channel.ts";
import type { PlainChannelOptions } from "../contenders/plain-channel.ts";
import { connectReceivers } from "../contenders/open-receivers.ts";
import type { Stage, Task } from "../process/stage.ts";
import { Deliveries } from "./deliveries.ts";
import { monotonicMs } from "./monotonic-ms.ts";

export interface ListenParams {
  readonly contender: string;
  readonly options: PlainChannelOptions;
  readonly messages: number;
}

export interface ListenLiveParams {
  readonly contender: string;
  readonly url: string;
  readonly channel: string;
  readonly messages: number;
}

interface Listened {
  /** By message. */
  readonly receivedAtMs: readonly number[];
}

interface Irregular {
  readonly irregularity: string | undefined;
}

/** Subscribes to a channel and tells when the handler was called with each of the messages 0 to `messages`. */
export const listen: Task<ListenParams, Listened, Irregular> = async ({ contender, options, messages }, stage) => {
  const channel = await openPlainChannel(contender, options);
  return timeArrivals(messages, stage, async (record) => {
    await channel.subscribe([record]);
    return channel;
  });
};

/** The same for a client of a live server. */
export const listenLive: Task<ListenLiveParams, Listened, Irregular> = ({ contender, url, channel, messages }, stage) =>
  timeArrivals(messages, stage, (record, onLost) =>
    connectReceivers(contender, { url, channel, count: 1, onMessage: (_receiver, seq) => record(seq), onLost }),
  );

async function timeArrivals(
  messages: number,
  stage: Stage<Listened>,
  open: (record: (seq: number) => void, onLost: (reason: string) => void) => Promise<{ readonly close: () => Promise<void> }>,
): Promise<Irregular> {
  const deliveries = new Deliveries(1, messages);
  const receivedAtMs: number[] = [];
  const record = (seq: number): void => {
    receivedAtMs[seq] = monotonicMs();
    deliveries.record(0, seq);
  };
  const source = await open(record, (reason) => deliveries.note(reason));
  await stage.measure(async () => {
    await deliveries.reach(messages);
    return { receivedAtMs };
  });
  await source.close();
  return { irregularity: deliveries.irregularity };
}
