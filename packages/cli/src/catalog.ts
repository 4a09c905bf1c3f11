import type { Command } from "commander";

/** A command as help lists it. What it takes and does is loaded when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Gives the command its arguments, options and action. */
  load(): Promise<{ define(command: Command): void }>;
}

/** All commands, as help lists them. */
export const catalog: readonly CommandEntry[] = [
  {
    name: "status",
    summary: "all queues and streams: how much waits, how fast it goes, what is wrong",
    load: () => import("./commands/status.ts"),
  },
  {
    name: "rates",
    summary: "what was done on a queue, a stream or a channel, by minutes or hours",
    load: () => import("./commands/rates.ts"),
  },
  { name: "queues", summary: "list the queues", load: () => import("./commands/queues.ts") },
  { name: "workers", summary: "list who works on a queue, and on what", load: () => import("./commands/workers.ts") },
  { name: "jobs", summary: "list the jobs of a queue", load: () => import("./commands/jobs.ts") },
  { name: "job", summary: "show a job with all that is known of it", load: () => import("./commands/job.ts") },
  { name: "add", summary: "add a job, or one for each line of standard input", load: () => import("./commands/add.ts") },
  { name: "update", summary: "change a job that does not run yet", load: () => import("./commands/update.ts") },
  { name: "promote", summary: "let a scheduled job run now", load: () => import("./commands/promote.ts") },
  { name: "signal", summary: "send a job the signal that it waits for", load: () => import("./commands/signal.ts") },
  { name: "cancel", summary: "cancel jobs that have not ended", load: () => import("./commands/cancel.ts") },
  { name: "letters", summary: "list dead letters, also by their error", load: () => import("./commands/letters.ts") },
  { name: "causes", summary: "group a queue's dead letters by what they died of", load: () => import("./commands/causes.ts") },
  { name: "redrive", summary: "put dead letters back on their queue", load: () => import("./commands/redrive.ts") },
  { name: "discard", summary: "remove dead letters for good", load: () => import("./commands/discard.ts") },
  { name: "pause", summary: "keep workers from beginning jobs of a queue, or of a group", load: () => import("./commands/pause.ts") },
  { name: "resume", summary: "end a pause", load: () => import("./commands/resume.ts") },
  { name: "schedules", summary: "list, run, pause, resume and remove schedules of a queue", load: () => import("./commands/schedules.ts") },
  { name: "limits", summary: "show and set how fast a queue's jobs run", load: () => import("./commands/limits.ts") },
  { name: "tail", summary: "follow a queue's events, a channel's messages, a stream's entries", load: () => import("./commands/tail.ts") },
  { name: "channels", summary: "list the channels that are listed, and who listens", load: () => import("./commands/channels.ts") },
  { name: "presence", summary: "list who is on a channel", load: () => import("./commands/presence.ts") },
  { name: "history", summary: "read the messages that a channel keeps", load: () => import("./commands/history.ts") },
  { name: "publish", summary: "publish a message on a channel", load: () => import("./commands/publish.ts") },
  { name: "append", summary: "append an event to a stream", load: () => import("./commands/append.ts") },
  { name: "read", summary: "read entries of a stream", load: () => import("./commands/read.ts") },
  {
    name: "groups",
    summary: "list groups of a stream or a queue; reset and redrive consumer groups",
    load: () => import("./commands/groups.ts"),
  },
  { name: "audit", summary: "list what was done with tools such as this one", load: () => import("./commands/audit.ts") },
  { name: "migrate", summary: "bring the schema in PostgreSQL to this version", load: () => import("./commands/migrate.ts") },
  { name: "doctor", summary: "look for what endangers data or speed here, and say what to do", load: () => import("./commands/doctor.ts") },
  { name: "dev", summary: "a private Valkey and PostgreSQL for development, until Ctrl-C", load: () => import("./commands/dev.ts") },
  { name: "bench", summary: "measure this installation for a few seconds", load: () => import("./commands/bench.ts") },
  { name: "completion", summary: "print a completion script for bash, zsh or fish", load: () => import("./commands/completion.ts") },
];
