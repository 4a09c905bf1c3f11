import { openPlainChannel } from "../contenders/open-plain-channel.ts";
import type { PlainChannelOptions } from "../contenders/plain-channel.ts";
import type { Task } from "../process/stage.ts";
import { Deliveries } from "./deliveries.ts";
import { publishWindowed } from "./publish-windowed.ts";

/** Well below what a subscription buffers while it is iterated. */
const window = 50;

export interface SubscribersParams {
  readonly contender: string;
  readonly options: PlainChannelOptions;
  readonly subscribers: number;
  readonly messages: number;
  /** How many of the messages pass before the clock starts. */
  readonly lead: number;
}

/** Many subscriptions to one channel in one process, which publishes to itself. */
export const subscribers: Task<SubscribersParams, { readonly elapsedMs: number }, { readonly irregularity: string | undefined }> = async (
  { contender, options, subscribers: count, messages, lead },
  stage,
) => {
  const channel = await openPlainChannel(contender, options);
  const deliveries = new Deliveries(count, messages);
  await channel.subscribe(Array.from({ length: count }, (_, receiver) => (seq: number) => deliveries.record(receiver, seq)));
  await publishWindowed(channel, { range: { from: 0, to: lead }, window, deliveries });
  await stage.measure(async () => {
    const start = performance.now();
    await publishWindowed(channel, { range: { from: lead, to: messages }, window, deliveries });
    return { elapsedMs: performance.now() - start };
  });
  await channel.close();
  return { irregularity: deliveries.irregularity };
};
