// What a contender's process does: performs the tasks that it is told to, one after the other, and says how far it is.
import { readHeadway } from "./headway.ts";
import { readOwnProcess } from "./own-process.ts";
import type { Order, Report, Stage, Task } from "./stage.ts";

const headwayEveryMs = 1_000;

const stage: Stage<unknown> = {
  async measure(work) {
    const go = awaitOrder("go");
    send({ report: "ready" });
    await go;
    const before = process.cpuUsage();
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    const dismissed = awaitOrder("dismiss");
    send({ report: "done", result, clientCpuUs: user + system });
    await dismissed;
    return result;
  },
  async serve(url) {
    let next = awaitOrder("read", "dismiss");
    send({ report: "serving", url });
    for (let order = await next; order.order === "read"; order = await next) {
      const reading = readOwnProcess({ collectsGarbage: order.collectsGarbage });
      next = awaitOrder("read", "dismiss");
      send({ report: "reading", reading });
    }
  },
};

/** Performs tasks by their names until the bench hangs up. */
export async function performTasks(tasks: Readonly<Record<string, () => Promise<unknown>>>): Promise<void> {
  // The bench ends a process by hanging up; and when the bench is gone, there is nobody to work for.
  process.once("disconnect", () => process.exit(0));
  reportHeadway();
  try {
    for (;;) {
      const { task, params } = await awaitOrder("perform");
      const load = Object.hasOwn(tasks, task) ? tasks[task] : undefined;
      if (!load) throw new Error(`There is no task ${task}.`);
      // Parameters were typed for this very task on the other side of the channel (see Contender.start).
      const perform = (await load()) as Task<unknown, unknown, unknown>;
      const aftermath = await perform(params, stage);
      send({ report: "closed", aftermath });
    }
  } catch (error) {
    send({ report: "failed", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    // A task that failed may have left anything behind.
    process.exitCode = 1;
    process.disconnect();
  }
}

function reportHeadway(): void {
  let last = "[]";
  const look = (): void => {
    const counts = readHeadway();
    const text = JSON.stringify(counts);
    if (text === last) return;
    last = text;
    send({ report: "headway", counts });
  };
  setInterval(look, headwayEveryMs).unref();
}

function send(report: Report): void {
  process.send?.(report);
}

function awaitOrder<Kind extends Order["order"]>(...expected: readonly Kind[]): Promise<Extract<Order, { order: Kind }>> {
  return new Promise((resolve, reject) => {
    process.once("message", (order: Order) => {
      if (isOrder(order, expected)) resolve(order);
      else reject(new Error(`Expected the order ${expected.join(" or ")}, got ${order.order}.`));
    });
  });
}

function isOrder<Kind extends Order["order"]>(order: Order, kinds: readonly Kind[]): order is Extract<Order, { order: Kind }> {
  return kinds.some((kind) => order.order === kind);
}
