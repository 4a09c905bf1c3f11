import "../runtime/node-version.ts";
export { collectMetrics, type MetricsOptions, type MetricsRegister } from "./collect-metrics.ts";
export type { MeteredChannel, MeteredQueue, MeteredStream } from "./state-reader.ts";
