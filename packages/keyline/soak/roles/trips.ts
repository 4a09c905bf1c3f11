import { KeylineError, type Child, type Queue, type Worker } from "keyline";
import { setTimeout as sleep } from "node:timers/promises";
import type { LegData, Site, TripData } from "../site.ts";

/** The children that a trip, or an outing, is to have. */
export function legsOf(queue: Queue<LegData> | Queue<LegData, LegData, true>, { msg, legs }: TripData, random: () => number): Child[] {
  return Array.from({ length: legs }, (_, leg) => {
    const data: LegData = { msg, leg, kind: random() < 0.05 ? "flaky" : "plain" };
    return random() < 0.1 ? { queue, data, options: { delay: Math.round(random() * 1_000) } } : { queue, data };
  });
}

/** Works on jobs that wait for their children, and on these: each child has an effect and comes to a value, and its parent writes down what it was told. */
export function workOnTrips(site: Site): Worker<unknown>[] {
  return [workOnLegs(site), workOnParents(site)] as Worker<unknown>[];
}

function workOnLegs({ legs, history, random, settings }: Site): Worker<LegData> {
  return legs.work(
    async ({ data: { msg, leg, kind }, attempt }, { settle }) => {
      const op = { f: "legs.run", msg: `${msg} ${leg}`, attempt, kind } as const;
      history.write("invoke", op);
      try {
        if (random() < 0.1) await sleep(random() * 500);
        if (kind === "flaky" && attempt === 1) throw new Error("this leg fails");
        const value = `${settings.proc}/${random().toString(36).slice(2)}`;
        const isOurs = await settle(async (tx) => {
          await tx.query("INSERT INTO leg_effects (msg, leg, value) VALUES ($1, $2, $3)", [msg, leg, value]);
          return value;
        });
        history.write(isOurs ? "ok" : "fail", { ...op, note: isOurs ? undefined : "settled before" });
      } catch (error) {
        history.write("fail", { ...op, note: nameOf(error) });
        throw error;
      }
    },
    { concurrency: 12 },
  );
}

function workOnParents({ trips, legs, history, random }: Site): Worker<TripData> {
  return trips.work(
    async (job, { settle, step }) => {
      const { msg, kind, legs: count } = job.data;
      const op = { f: "trips.run", msg, attempt: job.attempt, kind } as const;
      history.write("invoke", op);
      try {
        if (kind === "split") {
          await step("split", (tx) => job.addChildren(legsOf(legs, job.data, random), { tx }));
          await job.childrenEnded();
        }
        const told: string[] = [];
        for await (const { outcome, value } of job.children<string>()) told.push(outcome === "completed" ? String(value) : outcome);
        const isOurs = await settle(async (tx) => {
          await tx.query("INSERT INTO trip_effects (msg, legs, told) VALUES ($1, $2, $3)", [msg, count, told]);
        });
        history.write(isOurs ? "ok" : "fail", { ...op, note: isOurs ? undefined : "settled before" });
      } catch (error) {
        history.write("fail", { ...op, note: nameOf(error) });
        throw error;
      }
    },
    { concurrency: 12 },
  );
}

export function nameOf(error: unknown): string {
  return error instanceof KeylineError ? error.code : String(error).slice(0, 200);
}
