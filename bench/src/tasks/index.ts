import type { Task } from "../process/stage.ts";

/** What a contender's process can be told to do. Loaded on demand: a peer's process never imports Keyline. */
export const tasks = {
  add: async () => (await import("./add.ts")).add,
  addTransactional: async () => (await import("./add-transactional.ts")).addTransactional,
  commitToHandler: async () => (await import("./commit-to-handler.ts")).commitToHandler,
  drain: async () => (await import("./drain.ts")).drain,
  drainAlternately: async () => (await import("./drain-alternately.ts")).drainAlternately,
  effects: async () => (await import("./effects.ts")).effects,
  idle: async () => (await import("./idle.ts")).idle,
  ping: async () => (await import("./ping.ts")).ping,
} as const;

export type TaskName = keyof typeof tasks;
type Parts<Name extends TaskName> =
  Awaited<ReturnType<(typeof tasks)[Name]>> extends Task<infer Params, infer Result, infer Aftermath>
    ? { params: Params; result: Result; aftermath: Aftermath }
    : never;
export type ParamsOf<Name extends TaskName> = Parts<Name>["params"];
export type ResultOf<Name extends TaskName> = Parts<Name>["result"];
export type AftermathOf<Name extends TaskName> = Parts<Name>["aftermath"];
