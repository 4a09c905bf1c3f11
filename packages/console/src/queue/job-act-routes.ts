import { noBody, signalBody, updateBody } from "../api/job.ts";
import type { Act } from "../act/audited.ts";
import type { Desk } from "../desk.ts";
import { parse } from "../http/json-body.ts";
import { Refusal } from "../http/refusal.ts";
import type { Ask, Route } from "../http/router.ts";
import { withoutUndefined } from "../library/without-undefined.ts";
import type { AnyQueue } from "../console-options.ts";

/** What operators do with one job. */
export function jobActRoutes(desk: Desk): Route[] {
  const act = (name: string, work: (queue: AnyQueue, id: string, ask: Ask) => Promise<Work>): Route => ({
    method: "POST",
    path: `queues/:queue/jobs/:id/${name}`,
    answer: (ask) => doTo(desk, { name, work, ask }),
  });
  return [
    act("cancel", async (queue, id, { body }) => {
      parse(noBody, body);
      return { do: async () => ({ was: await queue.cancel(id) }) };
    }),
    act("promote", async (queue, id, { body }) => {
      parse(noBody, body);
      return { do: async () => ({ promoted: await queue.promote(id) }) };
    }),
    act("update", (queue, id, { body }) => update(desk, { queue, id, body })),
    act("signal", async (queue, id, { body }) => {
      const { name, data } = parse(signalBody, body);
      const own = desk.redactor.restore(data, undefined);
      return { details: { signal: name }, do: async () => ({ sent: await queue.signal(id, name, own) }) };
    }),
    act("redrive", async (queue, id, { body }) => {
      parse(noBody, body);
      return { do: async () => ({ count: await queue.redrive({ ids: [id] }) }) };
    }),
    act("discard", async (queue, id, { body }) => {
      parse(noBody, body);
      return { do: async () => ({ count: await queue.discard({ ids: [id] }) }) };
    }),
  ];
}

/** What was asked for is valid, and can be written down and done. */
interface Work {
  readonly details?: Readonly<Record<string, unknown>>;
  do(): Promise<Readonly<Record<string, unknown>>>;
}

interface Deed {
  readonly name: string;
  readonly ask: Ask;
  work(queue: AnyQueue, id: string, ask: Ask): Promise<Work>;
}

async function doTo({ shapes, audited }: Desk, { name, work, ask }: Deed): Promise<unknown> {
  const { name: queueName, thing: queue } = await shapes.queues.find(ask.param("queue"));
  const job = ask.param("id");
  const { details = {}, do: perform } = await work(queue, job, ask);
  const act: Act = { action: name, target: `queue:${queueName}`, details: { job, ...details } };
  return audited.do(ask.visitor, act, perform, countOf);
}

/** One, unless the answer says that nothing was done. */
function countOf({ was, count, promoted = true, updated = true, sent = true }: Readonly<Record<string, unknown>>): number {
  if (typeof count === "number") return count;
  return was === "unknown" || was === "dead" || !promoted || !updated || !sent ? 0 : 1;
}

/** Data comes back from a page that did not show all of it: what is still hidden there stays as it is. */
async function update({ redactor }: Desk, { queue, id, body }: { queue: AnyQueue; id: string; body: unknown }): Promise<Work> {
  const { data, ...others } = parse(updateBody, body);
  const hasData = typeof body === "object" && body !== null && "data" in body;
  const changes = { ...withoutUndefined(others), ...(hasData && { data: redactor.restore(data, (await queue.job(id))?.data) }) };
  const changed = Object.keys(changes);
  if (changed.length === 0) throw new Refusal({ status: 400, code: "INVALID_REQUEST", title: "Nothing is to be changed" });
  return {
    details: { changed },
    do: async () => {
      const { updated, state } = await queue.update(id, changes);
      return { updated, state };
    },
  };
}
