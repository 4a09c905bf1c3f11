import { z } from "zod";
import type { StreamExposure } from "./exposures.ts";
import type { StreamCounts } from "./stream-counts.ts";

export const idempotencyKey = z
  .string()
  .min(1)
  .max(500)
  .optional()
  .describe("A second append with a key that is still remembered appends nothing");

interface Event {
  readonly data?: unknown;
  readonly idempotencyKey?: string | undefined;
}

/** The stream's own schema says whether the data is its kind. */
export async function append(
  { stream }: StreamExposure,
  { data, idempotencyKey: key }: Event,
  counts: StreamCounts,
): Promise<{ readonly id: string; readonly appended: boolean }> {
  const { id, appended } = await stream.append(data as never, key === undefined ? {} : { idempotencyKey: key });
  if (appended) counts.appended++;
  return { id, appended };
}
