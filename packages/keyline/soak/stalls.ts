import { monitorEventLoopDelay } from "node:perf_hooks";
import type { HistoryWriter } from "./history.ts";
import { leaseMs } from "./site.ts";

const everyMs = 250;
const longMs = leaseMs / 4;

/**
 * Notes when this process stands still for a good part of the lease, or when `probe` does, which may ask a server. A machine that stands still is a
 * fault that nobody planned: whoever judges the calm has to know of it. Returns how to stop.
 */
export function watchStalls(history: HistoryWriter, probe: () => Promise<unknown> = () => Promise.resolve()): () => void {
  const delays = monitorEventLoopDelay({ resolution: 20 });
  delays.enable();
  const note = (ms: number, what: string): void => {
    if (ms > longMs) history.write("info", { f: "stall", note: `${what} ${Math.round(ms)} ms` });
  };
  const timer = setInterval(() => {
    note(delays.max / 1e6, "process");
    delays.reset();
    const asked = performance.now();
    void probe().then(
      () => note(performance.now() - asked, "servers"),
      () => undefined,
    );
  }, everyMs);
  return () => {
    clearInterval(timer);
    delays.disable();
  };
}
