import type { Entry, Live } from "@keyline/client";
import { useEffect, useState } from "react";
import { reviewEvents } from "../../reviews/channel-names.ts";
import type { CountedEvent, ReviewEvent } from "../../reviews/review-event.ts";
import { send } from "../../site/page/request.ts";

export type StreamEntry = Pick<Entry<ReviewEvent>, "id" | "data" | "at">;

export interface StreamView {
  /** The newest entries, oldest first. */
  readonly entries: readonly StreamEntry[];
  /** Up to which entry the table of counts is; undefined until it is known. */
  readonly counted: string | undefined;
}

const stream = "Reviews";

/** The end of the stream `Reviews`, as it grows; at the most so many entries. */
export function useStream(live: Live | undefined, most: number): StreamView {
  const [entries, setEntries] = useState<readonly StreamEntry[]>([]);
  const [counted, setCounted] = useState<string>();

  useEffect(() => {
    if (!live) return undefined;
    const leaving = new AbortController();
    const { signal } = leaving;
    let isOpen = false;
    const open = async (): Promise<void> => {
      if (isOpen) return;
      isOpen = true;
      try {
        const [newest, position] = await Promise.all([readNewest(most), readPosition()]);
        if (signal.aborted) return;
        setEntries(newest);
        setCounted(position);
        // Begins where the reading ended: nothing is left out, nothing comes twice.
        const after = newest.at(-1)?.id ?? "-";
        live.stream<ReviewEvent>(stream).follow((entry) => setEntries((before) => [...before, entry].slice(-most)), { after, signal });
        live.subscribe<CountedEvent>(reviewEvents, ({ data }) => setCounted(data.event.id), { signal });
      } catch {
        // The next connection asks again.
        isOpen = false;
      }
    };
    const stop = live.on("state", (state) => state === "online" && void open());
    void open();
    return () => {
      stop();
      leaving.abort();
    };
  }, [live, most]);

  return { entries, counted };
}

async function readNewest(limit: number): Promise<StreamEntry[]> {
  const answer = await send("GET", `/v1/streams/${stream}/events?limit=${limit}&reverse=true`);
  const { entries }: { entries: StreamEntry[] } = await answer.json();
  return entries.toReversed();
}

async function readPosition(): Promise<string> {
  const { position }: { position: string } = await (await send("GET", "/api/reviews/progress")).json();
  return position;
}
