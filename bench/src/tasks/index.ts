import type { Task } from "../process/stage.ts";

/** What a contender's process can be told to do. Loaded on demand: a peer's process never imports Keyline. */
export const tasks = {
  add: async () => (await import("./add.ts")).add,
  addTransactional: async () => (await import("./add-transactional.ts")).addTransactional,
  beginTimes: async () => (await import("./begin-times.ts")).beginTimes,
  commitToHandler: async () => (await import("./commit-to-handler.ts")).commitToHandler,
  consolePages: async () => (await import("./console-pages.ts")).consolePages,
  drain: async () => (await import("./drain.ts")).drain,
  drainAlternately: async () => (await import("./drain-alternately.ts")).drainAlternately,
  effects: async () => (await import("./effects.ts")).effects,
  family: async () => (await import("./family.ts")).family,
  fanOut: async () => (await import("./fan-out.ts")).fanOut,
  drainShare: async () => (await import("./drain-share.ts")).drainShare,
  histories: async () => (await import("./histories.ts")).histories,
  holdConnections: async () => (await import("./hold-connections.ts")).holdConnections,
  manyQueues: async () => (await import("./many-queues.ts")).manyQueues,
  idle: async () => (await import("./idle.ts")).idle,
  idleStream: async () => (await import("./idle-stream.ts")).idleStream,
  listen: async () => (await import("./listen.ts")).listen,
  listenLive: async () => (await import("./listen.ts")).listenLive,
  ping: async () => (await import("./ping.ts")).ping,
  pingResult: async () => (await import("./ping-result.ts")).pingResult,
  project: async () => (await import("./project.ts")).project,
  publish: async () => (await import("./publish.ts")).publish,
  publishSpaced: async () => (await import("./publish-spaced.ts")).publishSpaced,
  recordEvents: async () => (await import("./record-events.ts")).recordEvents,
  resumeStorm: async () => (await import("./resume-storm.ts")).resumeStorm,
  serve: async () => (await import("./serve.ts")).serve,
  subscribers: async () => (await import("./subscribers.ts")).subscribers,
  tap: async () => (await import("./tap.ts")).tap,
} as const;

export type TaskName = keyof typeof tasks;
type Parts<Name extends TaskName> =
  Awaited<ReturnType<(typeof tasks)[Name]>> extends Task<infer Params, infer Result, infer Aftermath>
    ? { params: Params; result: Result; aftermath: Aftermath }
    : never;
export type ParamsOf<Name extends TaskName> = Parts<Name>["params"];
export type ResultOf<Name extends TaskName> = Parts<Name>["result"];
export type AftermathOf<Name extends TaskName> = Parts<Name>["aftermath"];
