import type { LetterActOptions, LetterFilter } from "keyline";
import { bulkBody, type BulkBody } from "../api/letter.ts";
import type { AnyQueue } from "../console-options.ts";
import type { Desk } from "../desk.ts";
import { jsonAnswer } from "../http/answers.ts";
import { parse } from "../http/json-body.ts";
import type { Ask, Route } from "../http/router.ts";
import { Patience, patiently } from "../library/patience.ts";
import { causeOf } from "./causes.ts";

type BulkAct = "redrive" | "discard";

const dryRunMs = 15_000;

/** What operators do with many dead letters at once. It goes on as a task, which can be looked at and stopped. */
export function bulkRoutes(desk: Desk): Route[] {
  return (["redrive", "discard"] as const).map((act): Route => ({
    method: "POST",
    path: `queues/:queue/letters/${act}`,
    answer: (ask) => begin(desk, ask, act),
  }));
}

async function begin(desk: Desk, { param, body, visitor }: Ask, act: BulkAct): Promise<unknown> {
  const { shapes, audited, tasks, health } = desk;
  const asked = parse(bulkBody, body);
  const { name, thing: queue } = await shapes.queues.find(param("queue"));
  const letters = await toOptions(desk, queue, asked);
  if (asked.dryRun) return { count: await patiently(health, countOf(queue, act, letters), dryRunMs) };
  tasks.checkRoom();
  const target = `queue:${name}`;
  const { ids, ...filter } = letters;
  const id = await audited.begin(visitor, { action: act, target, details: ids ? { ...filter, ids: ids.length } : filter });
  const task = tasks.start({
    act,
    target,
    who: visitor.who,
    total: ids?.length,
    work: async (signal, onProgress) => {
      // Counted before anything is done: what is done meanwhile would be missing.
      if (!ids) onProgress({ done: 0, total: await new Patience(health).for(() => countOf(queue, act, letters)) });
      signal.throwIfAborted();
      return queue[act]({ ...letters, signal, onProgress });
    },
    explain: (error) => audited.explain(error),
    onEnd: (end) => audited.end(id, end),
  });
  return jsonAnswer({ task: task.id }, 202);
}

function countOf(queue: AnyQueue, act: BulkAct, letters: LetterActOptions): Promise<number> {
  return queue[act]({ ...letters, dryRun: true });
}

/** All of them are those that have died by now: what dies meanwhile is not touched. */
async function toOptions(desk: Desk, queue: AnyQueue, { ids, filter, before = Date.now() }: BulkBody): Promise<LetterFilter> {
  const { cause, error, group, after } = filter ?? {};
  return {
    ...(ids && { ids }),
    ...(cause !== undefined && { cause: await causeOf(desk, queue, cause) }),
    ...(error !== undefined && { error }),
    ...(group !== undefined && { group }),
    ...(after !== undefined && { after }),
    before: before + 1,
  };
}
