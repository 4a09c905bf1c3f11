import { openEventStore } from "../contenders/open-event-store.ts";
import type { EventStoreOptions, Recorded } from "../contenders/event-store.ts";
import { keepInFlight } from "../contenders/in-flight.ts";
import type { Task } from "../process/stage.ts";

export interface RecordEventsParams {
  readonly contender: string;
  readonly options: EventStoreOptions;
  readonly events: number;
  /** How many of the events are appended before the clock starts, so that compiled code is measured. */
  readonly lead: number;
  readonly inFlight: number;
}

/** Appends events 0 to `events` to a record in PostgreSQL. */
export const recordEvents: Task<
  RecordEventsParams,
  { readonly elapsedMs: number },
  { readonly recorded: Recorded; readonly irregularity: string | undefined }
> = async ({ contender, options, events, lead, inFlight }, stage) => {
  const store = await openEventStore(contender, options);
  await keepInFlight({ from: 0, to: lead }, inFlight, store.append);
  await stage.measure(async () => {
    const start = performance.now();
    await keepInFlight({ from: lead, to: events }, inFlight, store.append);
    return { elapsedMs: performance.now() - start };
  });
  const irregularity = await store.irregularity();
  const recorded = await store.recorded();
  await store.close();
  return { recorded, irregularity };
};
