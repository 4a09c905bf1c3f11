import type { Keyline, Worker } from "keyline";
import { startChatter } from "./demo-channel.ts";
import { startReadings } from "./demo-stream.ts";
import { demoQueues } from "./demo-queues.ts";
import type { RunningDemo } from "./running-demo.ts";
import { eventually } from "../../../../keyline/test/support/stage.ts";

/**
 * A little of everything that the console shows: work that is done, that fails for several reasons, that stands in groups, waits without a worker, is paused,
 * comes by the clock and in families; a channel on which somebody speaks, and a stream with groups that keep up and that do not.
 */
export async function startDemo(keyline: Keyline, { isBusy = false }: { readonly isBusy?: boolean } = {}): Promise<RunningDemo> {
  await keyline.migrate();
  const { mails, orders, reports, pages, invoices, thumbnails, exports } = demoQueues(keyline);
  const workers: Pick<Worker<unknown>, "stop">[] = [mails.work(sendMail, { concurrency: 8 }), mails.work(sendMail, { concurrency: 4 })];
  await mails.addMany(Array.from({ length: 90 }, (_, index) => ({ data: mailOf(index) })));

  const held = Promise.withResolvers<void>();
  workers.push(
    orders.work(
      async (job, { step }) => {
        await step("reserve", async () => ({ warehouse: "Leipzig", items: 3 }));
        await step("charge", async () => ({ cents: 4_990, provider: "card", token: "tok_4242" }));
        await job.progress({ percent: 62, doing: "printing the label" });
        await held.promise;
      },
      { concurrency: 3 },
    ),
  );
  await orders.add({ order: 1_001, details: "a lamp", customer: { name: "Ada", password: "secret" } }, { id: "order-1001" });
  await orders.add({ order: 1_002, details: "two chairs" }, { id: "order-1002" });

  workers.push(
    pages.work(
      async (job) => {
        if (job.data.region === "south") throw new Error("no figures for the region south");
        await held.promise;
      },
      { concurrency: 4 },
    ),
  );
  await reports.add(
    { kind: "sales", month: "2026-10" },
    {
      id: "report-2026-10",
      onChildDead: "ignore",
      children: ["north", "east", "south", "west"].map((region) => ({ queue: pages, data: { region } })),
    },
  );
  await reports.schedule("nightly-sales", { cron: "0 3 * * *", timezone: "Europe/Berlin", data: { kind: "sales" } });
  await reports.schedule("weekly-digest", { cron: "30 8 * * 1", timezone: "America/New_York", data: { kind: "digest" } });
  await reports.schedule("heartbeat", { every: 3_600_000, data: { kind: "heartbeat" } });

  workers.push(invoices.work(() => held.promise, { concurrency: 4 }));
  for (const customer of ["acme", "globex", "initech", "umbrella"]) {
    await invoices.addMany(Array.from({ length: 6 }, (_, index) => ({ data: { customer, invoice: 100 + index }, group: customer })));
  }
  await invoices.pause({ group: "umbrella" });

  await thumbnails.addMany(Array.from({ length: 140 }, (_, index) => ({ data: { image: `img-${index}.png`, width: 320 } })));
  await thumbnails.add({ image: "<img src=x onerror=\"document.title='broken in'\">", width: 1 }, { id: "with-html" });
  await exports.pause();
  await exports.add(
    { name: "everything", lines: Array.from({ length: 14_000 }, (_, line) => `line ${line} of the export, with some words in it`) },
    { id: "large" },
  );
  for (const minutes of [5, 30, 90, 1_440]) await exports.add({ name: `in ${minutes} minutes` }, { delay: minutes * 60_000 });

  const chatter = await startChatter(keyline);
  const readings = await startReadings(keyline);
  let mailed = 90;
  const producer = isBusy
    ? setInterval(() => {
        const some = Array.from({ length: 1 + Math.floor(Math.random() * 6) }, () => ({ data: mailOf(mailed++) }));
        void mails.addMany(some).catch(() => undefined);
      }, 400)
    : undefined;
  await eventually("the demo's jobs have died", async () => (await mails.counts()).dead >= 10 && (await pages.counts()).dead === 1);
  return {
    close: async () => {
      clearInterval(producer);
      held.resolve();
      await Promise.all([chatter.close(), readings.close(), ...workers.map((worker) => worker.stop())]);
    },
  };
}

interface Mail {
  readonly to: string;
  readonly template: string;
  readonly apiToken: string;
}

function mailOf(index: number): Mail {
  return { to: `user${index}@example.com`, template: index % 3 === 0 ? "welcome" : "receipt", apiToken: `key-${index}` };
}

function sendMail({ data: { to } }: { readonly data: Mail }): Promise<void> {
  const index = Number(/\d+/.exec(to)?.[0]);
  if (index % 9 === 4) throw new RangeError(`mailbox of user ${index} is full`);
  if (index % 15 === 7) throw new TypeError(`Cannot read properties of undefined (reading 'address') for "${to}"`);
  if (index % 31 === 11) throw new Error(`connect ETIMEDOUT 10.0.0.${index}:25`);
  return new Promise((resolve) => setTimeout(resolve, 5 + (index % 7) * 4));
}
