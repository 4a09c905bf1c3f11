import type { Case } from "../suite/case.ts";
import { add } from "./add.ts";
import { addTransactional } from "./add-transactional.ts";
import { backlog } from "./backlog.ts";
import { channelLatency } from "./channel-latency.ts";
import { channelPublish } from "./channel-publish.ts";
import { channelReceivers } from "./channel-receivers.ts";
import { commitToHandler } from "./commit-to-handler.ts";
import { consolePages } from "./console.ts";
import { addDelayed, delayedPrecision, processDelayed } from "./delayed.ts";
import { effectsBatch, effectsSingle, step } from "./effects.ts";
import { fairness } from "./fairness.ts";
import { family } from "./family.ts";
import { gatewayFanOut1000, gatewayFanOut5000 } from "./gateway-fan-out.ts";
import { gatewayLatency } from "./gateway-latency.ts";
import { gatewayMemory } from "./gateway-memory.ts";
import { idle, streamIdle } from "./idle.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { payload100kb } from "./payload-100kb.ts";
import { process1, process10, process200, process50 } from "./process.ts";
import { processGrouped } from "./process-grouped.ts";
import { processPriority } from "./process-priority.ts";
import { rateLimited } from "./rate-limited.ts";
import { results } from "./results.ts";
import { resumeStorm } from "./resume-storm.ts";
import { scaleCluster } from "./scale-cluster.ts";
import { scaleProcesses } from "./scale-processes.ts";
import { scaleQueues } from "./scale-queues.ts";
import { streamAppendTransactional } from "./stream-append-transactional.ts";
import { streamFollowLatency } from "./stream-follow-latency.ts";
import { streamHistory } from "./stream-history.ts";
import { streamProject } from "./stream-project.ts";
import { streamAppend, streamConsume } from "./stream-throughput.ts";
import { telemetry } from "./telemetry.ts";
import { unusedFeatures } from "./unused-features.ts";

/** In the order in which they run. */
export const cases: readonly Case[] = [
  add,
  process1,
  process10,
  process50,
  process200,
  addDelayed,
  processDelayed,
  delayedPrecision,
  processPriority,
  processGrouped,
  rateLimited,
  fairness,
  latency,
  results,
  effectsBatch,
  effectsSingle,
  step,
  family,
  addTransactional,
  commitToHandler,
  memory,
  payload100kb,
  backlog,
  consolePages,
  idle,
  unusedFeatures,
  telemetry,
  scaleProcesses,
  scaleQueues,
  scaleCluster,
  streamAppend,
  streamConsume,
  streamAppendTransactional,
  streamHistory,
  streamProject,
  streamFollowLatency,
  streamIdle,
  channelLatency,
  channelReceivers,
  channelPublish,
  gatewayFanOut1000,
  gatewayFanOut5000,
  gatewayMemory,
  gatewayLatency,
  resumeStorm,
];
