// A worker as a process of its own, so that killing it is what it is in earnest: no handler, no finally and no goodbye runs.
import { setTimeout as wait } from "node:timers/promises";
import { Keyline, KeylineError, type Logger, type Worker } from "keyline";
import { openOrdersQueue, type OrderJob } from "./orders-queue.ts";
import { markOrderProcessed } from "./orders-table.ts";
import { StepReport } from "./step-report.ts";
import { serveMetrics } from "./worker-metrics.ts";
import { ToWorker, type ToServer } from "./worker-protocol.ts";

type Begin = Extract<ToWorker, { type: "begin" }>;

const stopTimeoutMs = 8_000;

const log = (details: object, message: string): void => console.error(`Worker ${process.pid}: ${message}`, details);
const logger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: log };

const report = new StepReport((steps) => tell({ type: "steps", steps }));
let labelMs = 0;
let stopping: Promise<void> | undefined;
let metrics: Promise<Awaited<ReturnType<typeof serveMetrics>> | undefined> | undefined;
let running: { readonly keyline: Keyline; readonly worker: Worker<OrderJob> } | undefined;

process.on("message", (message) => {
  const command = ToWorker.parse(message);
  switch (command.type) {
    case "begin":
      return begin(command);
    case "labelMs":
      labelMs = command.labelMs;
      return;
    case "stop":
      void stop();
  }
});
process.on("disconnect", () => void stop());
// Ctrl-C in a terminal goes to every process of the group; the server decides when its workers stop.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);

function begin(command: Begin): void {
  labelMs = command.labelMs;
  const { valkey, postgres, prefix, concurrency } = command;
  // Connections are few on most servers: settling is short, so some of them do for many orders at a time.
  const keyline = new Keyline({ valkey, prefix, logger, postgres: { connectionString: postgres, max: 5 } });
  const worker = openOrdersQueue(keyline).work(
    async (job, { settle }) => {
      const { attempt } = job;
      const { orderId } = job.data;
      report.note({ kind: "started", orderId, attempt });
      try {
        await wait(labelMs, undefined, { signal: job.signal });
        const isOurs = await settle((tx) => markOrderProcessed(tx, orderId));
        report.note({ kind: isOurs ? "processed" : "released", orderId });
      } catch (error) {
        report.note({ kind: "released", orderId });
        throw error;
      }
    },
    { concurrency },
  );
  worker.on("error", (error) => {
    // Part of what the page shows: an order that came twice, or one that another worker has by now. Its effects were left out.
    if (!(error instanceof KeylineError && error.code === "LEASE_LOST")) log({ error: error.message }, "a worker reports an error");
  });
  running = { keyline, worker };
  // Without its metrics a worker works all the same.
  metrics = serveMetrics(keyline).catch((error: unknown) => {
    log({ error: String(error) }, "a worker cannot tell its metrics");
    return undefined;
  });
  void metrics.then((served) => tell({ type: "ready", metricsPort: served?.port }));
}

function stop(): Promise<void> {
  stopping ??= finish();
  return stopping;
}

/** Ends with nothing left that would keep the process running. */
async function finish(): Promise<void> {
  // The stores may be gone already, and then some of this cannot end.
  setTimeout(() => process.exit(1), stopTimeoutMs + 2_000).unref();
  await running?.worker.stop({ timeout: stopTimeoutMs });
  (await metrics)?.close();
  await running?.keyline.close();
  report.flush();
  if (process.connected) process.disconnect();
}

function tell(message: ToServer): void {
  if (process.connected) process.send?.(message);
}
