import { keepInFlight } from "../contenders/in-flight.ts";
import { openPlainChannel } from "../contenders/open-plain-channel.ts";
import type { PlainChannelOptions } from "../contenders/plain-channel.ts";
import type { Task } from "../process/stage.ts";

export interface PublishParams {
  readonly contender: string;
  readonly options: PlainChannelOptions;
  readonly messages: number;
  /** How many of the messages are published before the clock starts, so that compiled code is measured. */
  readonly lead: number;
  readonly inFlight: number;
}

/** Publishes messages 0 to `messages`. */
export const publish: Task<PublishParams, { readonly elapsedMs: number }, null> = async (
  { contender, options, messages, lead, inFlight },
  stage,
) => {
  const channel = await openPlainChannel(contender, options);
  await keepInFlight({ from: 0, to: lead }, inFlight, (seq) => channel.publish(seq));
  await stage.measure(async () => {
    const start = performance.now();
    await keepInFlight({ from: lead, to: messages }, inFlight, (seq) => channel.publish(seq));
    return { elapsedMs: performance.now() - start };
  });
  await channel.close();
  return null;
};
