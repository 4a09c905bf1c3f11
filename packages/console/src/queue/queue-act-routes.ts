import { noBody } from "../api/job.ts";
import { addBody, limitsBody, pauseBody } from "../api/queue.ts";
import type { Desk } from "../desk.ts";
import { parse } from "../http/json-body.ts";
import type { Ask, Route } from "../http/router.ts";
import { withoutUndefined } from "../library/without-undefined.ts";
import { toLimits } from "./queue-view.ts";

/** What operators do with a queue and its schedules. */
export function queueActRoutes(desk: Desk): Route[] {
  return [
    { method: "POST", path: "queues/:queue/pause", answer: (ask) => pause(desk, ask, true) },
    { method: "POST", path: "queues/:queue/resume", answer: (ask) => pause(desk, ask, false) },
    { method: "POST", path: "queues/:queue/limits", answer: (ask) => setLimits(desk, ask) },
    { method: "POST", path: "queues/:queue/add", answer: (ask) => add(desk, ask) },
    ...(["run", "pause", "resume", "remove"] as const).map((act): Route => ({
      method: "POST",
      path: `queues/:queue/schedules/:schedule/${act}`,
      answer: (ask) => schedule(desk, ask, act),
    })),
  ];
}

async function pause({ shapes, audited }: Desk, { param, body, visitor }: Ask, isPause: boolean): Promise<unknown> {
  const options = parse(pauseBody, body);
  const group = options.group === undefined ? {} : { group: options.group };
  const { name, thing: queue } = await shapes.queues.find(param("queue"));
  const action = isPause ? "pause" : "resume";
  await audited.do(visitor, { action, target: `queue:${name}`, details: group }, () =>
    isPause ? queue.pause(group) : queue.resume(group),
  );
  return { paused: isPause };
}

async function setLimits({ shapes, audited }: Desk, { param, body, visitor }: Ask): Promise<unknown> {
  const changes = parse(limitsBody, body);
  const { name, thing: queue } = await shapes.queues.find(param("queue"));
  return audited.do(visitor, { action: "limits", target: `queue:${name}`, details: changes }, async () => {
    await queue.setLimits(withoutUndefined(changes));
    return toLimits(await queue.limits());
  });
}

async function add({ shapes, audited, redactor }: Desk, { param, body, visitor }: Ask): Promise<unknown> {
  const { data, ...options } = parse(addBody, body);
  const own = redactor.restore(data, undefined);
  const { name, thing: queue } = await shapes.queues.find(param("queue"));
  return audited.do(visitor, { action: "add", target: `queue:${name}`, details: options }, async () => {
    const { id, added } = await queue.add(own, withoutUndefined(options));
    return { id, added };
  });
}

async function schedule(
  { shapes, audited }: Desk,
  { param, body, visitor }: Ask,
  act: "run" | "pause" | "resume" | "remove",
): Promise<unknown> {
  parse(noBody, body);
  const { name, thing: queue } = await shapes.queues.find(param("queue"));
  const schedule = param("schedule");
  const written = { action: `schedule-${act}`, target: `queue:${name}`, details: { schedule } };
  const found = (isThere: boolean): { found: boolean } => ({ found: isThere });
  switch (act) {
    case "run":
      return audited.do(visitor, written, async () => ({ id: (await queue.runSchedule(schedule)).id }));
    case "pause":
      return audited.do(visitor, written, async () => found(await queue.pauseSchedule(schedule)), count);
    case "resume":
      return audited.do(visitor, written, async () => found(await queue.resumeSchedule(schedule)), count);
    case "remove":
      return audited.do(visitor, written, async () => found(await queue.unschedule(schedule)), count);
  }
}

const count = ({ found }: { readonly found: boolean }): number => Number(found);
