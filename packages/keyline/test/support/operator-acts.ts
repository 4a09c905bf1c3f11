import type { Keyline } from "keyline";

/** By what each does; before its name what it does it to, unless that is a queue. */
export type Acts = Readonly<Record<string, () => Promise<unknown>>>;

interface ActsOn {
  /** Of a queue and of a stream with a group `g`. */
  readonly name: string;
  readonly transactional: boolean;
  /** Of the audit trail, where that is on Valkey. */
  readonly entry: string | undefined;
}

/** What an operator does. All of it can be done once more. */
export function actsOf(keyline: Keyline, { name, transactional, entry }: ActsOn): Acts {
  const queue = transactional
    ? keyline.queue<number>(name, { transactional: true, maxAttempts: 1 })
    : keyline.queue<number>(name, { maxAttempts: 1 });
  const stream = transactional ? keyline.stream<number>(name, { transactional: true }) : keyline.stream<number>(name);
  const group = stream.group("g");
  const channel = keyline.channel("news");
  return {
    redrive: () => queue.redrive({ error: "it fails", limit: 1 }),
    discard: () => queue.discard({ ids: ["d3"] }),
    pause: () => queue.pause(),
    resume: () => queue.resume(),
    "pause of a group": () => queue.pause({ group: "g" }),
    setLimits: () => queue.setLimits({ concurrency: 5 }),
    update: () => queue.update("later", { data: 2 }),
    promote: () => queue.promote("later"),
    ...(transactional ? { signal: () => queue.signal("waits", "go on") } : {}),
    cancel: () => queue.cancel("waits"),
    "cancel of a group": () => queue.cancel({ group: "none" }),
    schedule: () => queue.schedule("nightly", { every: 86_400_000, data: 1 }),
    pauseSchedule: () => queue.pauseSchedule("nightly"),
    resumeSchedule: () => queue.resumeSchedule("nightly"),
    runSchedule: () => queue.runSchedule("nightly"),
    unschedule: () => queue.unschedule("nightly"),
    "group.redrive": () => group.redrive({ limit: 1 }),
    "group.discard": () => group.discard({ all: true }),
    "group.reset": () => group.reset("end"),
    "group.remove": () => group.remove(),
    "channel.list": () => channel.list(),
    "presence.enter": () => channel.presence.enter("ann"),
    ...(entry === undefined
      ? {}
      : {
          "audit.add": () => keyline.audit.add({ who: "ann", action: "act", target: "queue:q" }),
          "audit.finish": () => keyline.audit.finish(entry),
        }),
  };
}
