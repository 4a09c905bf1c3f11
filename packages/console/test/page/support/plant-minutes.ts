import type { Stage } from "../../../../keyline/test/support/stage.ts";

const minuteMs = 60_000;

/** As if the same had been counted in each minute of the last hour, and were in those that begin while a test runs. */
export async function plantMinutes({ valkey, prefix }: Stage, rates: string, counts: Readonly<Record<string, number>>): Promise<void> {
  const now = Math.floor(Date.now() / minuteMs);
  const minutes = Array.from({ length: 75 }, (_, index) => now - 65 + index);
  await Promise.all(minutes.map((minute) => valkey.hset(`${prefix}:${rates}:${minute}`, counts)));
}
