import type { PlainChannel } from "../contenders/plain-channel.ts";
import type { Range } from "../contenders/in-flight.ts";
import type { Deliveries } from "./deliveries.ts";

/**
 * Publishes the messages of the range, so that never more than `window` of them are on their way to anybody: as much as a receiver can be
 * behind. Resolves when all have come to everybody.
 */
export async function publishWindowed(
  channel: PlainChannel,
  { range, window, deliveries }: { readonly range: Range; readonly window: number; readonly deliveries: Deliveries },
): Promise<void> {
  let next = range.from;
  const pump = (): void => {
    while (next < range.to && next - deliveries.complete < window) {
      const seq = next++;
      channel.publish(seq).catch((error: unknown) => deliveries.note(`Message ${seq} was not published: ${String(error)}`));
    }
  };
  deliveries.onComplete = pump;
  pump();
  await deliveries.reach(range.to);
}
