import type { Job, Transaction } from "keyline";
import { setTimeout as sleep } from "node:timers/promises";
import { leaseMs, type JobData, type Site } from "../site.ts";
import type { Activity } from "../history.ts";
import { workOnOutings } from "./outings.ts";
import { workOnTours } from "./tours.ts";
import { workOnTrips } from "./trips.ts";

const failure = new Error("this job fails");

/** Works on both queues until it is stopped. Every second worker of the cast settles in batches. */
export function work(site: Site): void {
  const { orders, mails, history, settings } = site;
  const isBatch = Number(settings.slot.at(-1)) % 2 === 1;
  const workers = [
    isBatch
      ? orders.workBatch(
          async (jobs, { settle }) => {
            await Promise.all(jobs.map((job) => begin(site, "orders.run", job)));
            const { settled, skipped, failed } = await settle(jobs, async (tx, owed) => {
              if (owed.some(isToFail)) throw failure;
              for (const job of owed) await writeEffects(site, tx, job);
            });
            for (const job of settled) note(site, "ok", "orders.run", job);
            for (const job of skipped) note(site, "fail", "orders.run", job, "skipped");
            for (const { job, error } of failed) note(site, "fail", "orders.run", job, String(error));
          },
          { size: 16 },
        )
      : orders.work(
          async (job, { settle }) => {
            await begin(site, "orders.run", job);
            try {
              if (isToFail(job)) throw failure;
              const isOurs = await settle((tx) => writeEffects(site, tx, job));
              note(site, isOurs ? "ok" : "fail", "orders.run", job, isOurs ? undefined : "settled before");
            } catch (error) {
              note(site, "fail", "orders.run", job, String(error));
              throw error;
            }
          },
          { concurrency: 16 },
        ),
    mails.work(
      async (job) => {
        await begin(site, "mails.run", job);
        if (isToFail(job)) {
          note(site, "fail", "mails.run", job, String(failure));
          throw failure;
        }
        note(site, "ok", "mails.run", job);
      },
      { concurrency: 8 },
    ),
  ];
  for (const worker of [...workers, workOnTours(site), ...workOnTrips(site), ...workOnOutings(site)]) {
    worker.on("error", (error) => history.write("info", { f: "lease", note: error.message }));
  }
}

async function begin({ history }: Site, f: Activity, { data, attempt }: Job<JobData>): Promise<void> {
  history.write("invoke", { f, msg: data.msg, attempt, kind: data.kind });
  if (data.kind === "killer") process.kill(process.pid, "SIGKILL");
  if (data.kind === "hog" && attempt === 1) block(2 * leaseMs);
  if (data.kind === "slow") await sleep(data.work);
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function isToFail({ data, attempt }: Job<JobData>): boolean {
  return data.kind === "poison" || (data.kind === "flaky" && attempt === 1);
}

function note({ history }: Site, type: "ok" | "fail", f: Activity, { data, attempt }: Job<JobData>, text?: string): void {
  history.write(type, { f, msg: data.msg, attempt, kind: data.kind, note: text?.slice(0, 300) });
}

/** One row for each job. The table has no unique constraint, which would hide what happened twice. */
async function writeEffects({ settings, random }: Site, tx: Transaction, { data, attempt }: Job<JobData>): Promise<void> {
  await tx.query("INSERT INTO effects (msg, attempt, proc) VALUES ($1, $2, $3)", [data.msg, attempt, settings.proc]);
  if (random() < 0.04) await tx.query("SELECT pg_sleep(0.04)");
  // In the order of chance: two of them get into each other's way, and one has to be made again as a whole.
  if (random() < 0.03) for (const id of random() < 0.5 ? [1, 2] : [2, 1]) await transfer(tx, data.msg, id);
}

async function transfer(tx: Transaction, msg: string, id: number): Promise<void> {
  await tx.query("UPDATE accounts SET total = total + 1 WHERE id = $1", [id]);
  await tx.query("INSERT INTO transfers (msg, account) VALUES ($1, $2)", [msg, id]);
}
