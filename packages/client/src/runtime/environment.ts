/** What the client needs of the place it runs in: a browser's page, a worker or Node, or a test that holds the clock. */
export interface Environment {
  openSocket(url: string): WebSocket;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Milliseconds of a clock that nobody sets; on some systems it stands while the machine sleeps. */
  now(): number;
  random(): number;
  /** Calls `action` in `ms` milliseconds, unless the returned function is called before. */
  after(ms: number, action: () => void): () => void;
  /** Calls `action` whenever the network or the page has come back, until the returned function is called. */
  onWake(action: () => void): () => void;
}

// A longer wait would overflow the timer and end at once.
const longestTimerMs = 2_147_483_647;

export const surroundings: Environment = {
  openSocket: (url) => new WebSocket(url),
  fetch: (url, init) => fetch(url, init),
  now: () => performance.now(),
  random: Math.random,
  after: (ms, action) => {
    const timer = setTimeout(action, Math.min(ms, longestTimerMs));
    return () => clearTimeout(timer);
  },
  onWake: (action) => {
    const ending = new AbortController();
    const { signal } = ending;
    // Workers have the network's event and no page, Node has neither.
    globalThis.addEventListener?.("online", action, { signal });
    const page = globalThis.document;
    page?.addEventListener("visibilitychange", () => page.visibilityState === "visible" && action(), { signal });
    return () => ending.abort();
  },
};
