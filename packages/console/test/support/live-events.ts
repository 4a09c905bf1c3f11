import { eventually } from "../../../keyline/test/support/stage.ts";

/** What tests look at by name; the rest is checked by schemas. */
interface LiveData {
  readonly topic?: string;
  readonly kind?: string;
  readonly data?: { readonly state?: string; readonly stores?: { readonly valkey: string } } | null;
  readonly rows?: readonly { readonly id?: string | null; readonly payload?: { readonly data: { readonly n?: number } } }[];
  readonly skipped?: number | null;
}

interface LiveEvent {
  readonly id: string;
  readonly type: string;
  readonly data: LiveData;
}

/** An open event stream of a console. */
export interface LiveEvents {
  readonly events: LiveEvent[];
  /** What a browser would send when it comes again. */
  readonly lastEventId: () => string;
  readonly isOver: () => boolean;
  /** The first event that fits, of those that came and those that come. */
  find(what: string, fits: (event: LiveEvent) => boolean): Promise<LiveEvent>;
  close(): void;
}

export async function openLive(url: string, topics: string, token: string, lastEventId = ""): Promise<LiveEvents> {
  const stopping = new AbortController();
  const response = await fetch(`${url}/api/live?topics=${encodeURIComponent(topics)}`, {
    headers: { authorization: `Bearer ${token}`, "last-event-id": lastEventId },
    signal: stopping.signal,
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  const events: LiveEvent[] = [];
  let isOver = false;
  let lastId = lastEventId;
  void (async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const of = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
        const data = of("data");
        lastId = of("id") ?? lastId;
        if (data !== undefined) events.push({ id: of("id") ?? "", type: of("event") ?? "", data: JSON.parse(data) });
      }
    }
  })()
    .catch(() => undefined)
    .finally(() => (isOver = true));
  return {
    events,
    lastEventId: () => lastId,
    isOver: () => isOver,
    find: async (what, fits) => {
      await eventually(what, () => events.some(fits));
      return events.find(fits) as LiveEvent;
    },
    close: () => stopping.abort(),
  };
}
