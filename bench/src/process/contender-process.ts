// The entry of a contender's process: performs the tasks that it is told to, one after the other. A process of its own keeps
// one contender's heap, compiled code and module state away from the others, and lets the kernel count its CPU.
import { enableCompileCache } from "node:module";
import { tasks, type TaskName } from "../tasks/index.ts";
import { readOwnProcess } from "./own-process.ts";
import type { Order, Report, Stage } from "./stage.ts";

// A run starts some hundred of these processes, each of which would parse a library and its dependencies again.
enableCompileCache();

// The bench ends a process by hanging up; and when the bench is gone, there is nobody to work for.
process.once("disconnect", () => process.exit(0));

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

try {
  for (;;) {
    const { task, params } = await awaitOrder("perform");
    if (!isTask(task)) throw new Error(`There is no task ${task}.`);
    // The parameters were typed for this very task on the other side of the channel (see Contender.start).
    const perform = (await tasks[task]()) as (params: unknown, stage: Stage<unknown>) => Promise<unknown>;
    const aftermath = await perform(params, stage);
    send({ report: "closed", aftermath });
  }
} catch (error) {
  send({ report: "failed", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  // A task that failed may have left anything behind.
  process.exitCode = 1;
  process.disconnect();
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

function isTask(name: string): name is TaskName {
  return Object.hasOwn(tasks, name);
}
