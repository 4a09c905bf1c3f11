import type { Worker } from "keyline";
import { setTimeout as sleep } from "node:timers/promises";
import type { LegData, Site, TripData } from "../site.ts";
import { legsOf, nameOf } from "./trips.ts";

/** Works on jobs of a plain queue that wait for their children, and on these. What children come to is known beforehand, as any of them may run twice. */
export function workOnOutings(site: Site): Worker<unknown>[] {
  return [workOnStops(site), workOnParents(site)] as Worker<unknown>[];
}

function workOnStops({ stops, history, random }: Site): Worker<LegData> {
  return stops.work(
    async ({ data: { msg, leg, kind }, attempt }) => {
      const op = { f: "stops.run", msg: `${msg} ${leg}`, attempt, kind } as const;
      history.write("invoke", op);
      if (random() < 0.1) await sleep(random() * 500);
      if (kind === "flaky" && attempt === 1) {
        history.write("fail", op);
        throw new Error("this stop fails");
      }
      history.write("ok", op);
      return `${msg} ${leg}`;
    },
    { concurrency: 12 },
  );
}

function workOnParents({ outings, stops, history, random }: Site): Worker<TripData> {
  return outings.work(
    async (job) => {
      const { msg, kind, legs } = job.data;
      const op = { f: "outings.run", msg, attempt: job.attempt, kind } as const;
      history.write("invoke", op);
      try {
        if (kind === "split") {
          await job.addChildren(legsOf(stops, job.data, random), { name: "split" });
          await job.childrenEnded();
        }
        const told: string[] = [];
        for await (const { outcome, value } of job.children<string>()) told.push(outcome === "completed" ? String(value) : outcome);
        history.write("ok", { ...op, note: JSON.stringify({ legs, told }) });
      } catch (error) {
        history.write("fail", { ...op, note: nameOf(error) });
        throw error;
      }
    },
    { concurrency: 12 },
  );
}
