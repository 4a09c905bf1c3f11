import { setTimeout as pause } from "node:timers/promises";
import { openPlainChannel } from "../contenders/open-plain-channel.ts";
import type { PlainChannelOptions } from "../contenders/plain-channel.ts";
import { oneByOne } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";
import { monotonicMs } from "./monotonic-ms.ts";

/** Long enough for every contender to have delivered the message before, and to wait again. */
const untilIdleMs = 2;

export interface PublishSpacedParams {
  readonly contender: string;
  readonly options: PlainChannelOptions;
  readonly messages: number;
}

/** Publishes messages 0 to `messages`, one at a time, and tells when each publish was called. */
export const publishSpaced: Task<PublishSpacedParams, { readonly sentAtMs: readonly number[] }, null> = async (
  { contender, options, messages },
  stage,
) => {
  const channel = await openPlainChannel(contender, options);
  await stage.measure(async () => {
    const sentAtMs: number[] = [];
    await oneByOne(messages, "messages were published", async (seq) => {
      await pause(untilIdleMs);
      sentAtMs.push(monotonicMs());
      await channel.publish(seq);
    });
    return { sentAtMs };
  });
  await channel.close();
  return null;
};
