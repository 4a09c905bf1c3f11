import { useEffect, useState } from "react";
import type { Connection } from "../../site/page/connection-status.tsx";
import type { Snapshot } from "../snapshot.ts";

export interface Live {
  readonly connection: Connection;
  /** The last one that came, also while the connection is lost. */
  readonly snapshot: Snapshot | undefined;
  /** Orders per second of the last minute, one value a second, oldest first. */
  readonly throughput: readonly number[];
}

// The server says something every five seconds at the least.
const silenceMs = 12_000;
const retryMs = 2_000;
const kept = 60;

const none: Live = { connection: "connecting", snapshot: undefined, throughput: [] };

/** Follows the server's events for as long as the component is there. */
export function useLive(): Live {
  const [live, setLive] = useState(none);

  useEffect(() => {
    let last: Snapshot | undefined;
    const follower = new Follower({
      snapshot: (snapshot) => {
        last = snapshot;
        setLive((before) => ({ ...before, connection: "live", snapshot }));
      },
      lost: () => {
        // Nothing is known to move any more.
        if (last) last = { ...last, throughput: 0 };
        setLive((before) => (last ? { ...before, connection: "lost", snapshot: last } : before));
      },
    });
    const clock = setInterval(() => {
      const rate = last?.throughput;
      if (rate !== undefined) setLive((before) => ({ ...before, throughput: [...before.throughput, rate].slice(-kept) }));
    }, 1_000);
    return () => {
      follower.close();
      clearInterval(clock);
    };
  }, []);

  return live;
}

interface FollowerEvents {
  snapshot(snapshot: Snapshot): void;
  lost(): void;
}

/**
 * An EventSource that is replaced when it gives up or falls silent: it connects again by itself only after some errors, and does not
 * notice a connection that has died without a word.
 */
class Follower {
  readonly #events: FollowerEvents;
  #source: EventSource | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(events: FollowerEvents) {
    this.#events = events;
    this.#open();
  }

  close(): void {
    clearTimeout(this.#silence);
    this.#source?.close();
  }

  #open(): void {
    this.close();
    const source = new EventSource("/api/shop/events");
    this.#source = source;
    source.addEventListener("snapshot", (event: MessageEvent<string>) => {
      this.#expectMore();
      const snapshot: Snapshot = JSON.parse(event.data);
      this.#events.snapshot(snapshot);
    });
    source.addEventListener("heartbeat", () => this.#expectMore());
    source.addEventListener("error", () => {
      this.#events.lost();
      clearTimeout(this.#silence);
      this.#silence = setTimeout(() => this.#open(), source.readyState === EventSource.CLOSED ? retryMs : silenceMs);
    });
    this.#expectMore();
  }

  #expectMore(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#events.lost();
      this.#open();
    }, silenceMs);
  }
}
