// The entry of a contender's process: performs the one task that it is told to, then ends. A process of its own keeps
// one contender's heap, compiled code and module state away from the others, and lets the kernel count its CPU.
import { tasks, type TaskName } from "../tasks/index.ts";
import type { Order, Report, Stage } from "./stage.ts";

function send(report: Report): void {
  process.send?.(report);
}

function awaitOrder(expected: Order["order"]): Promise<Order> {
  return new Promise((resolve, reject) => {
    process.once("message", (order: Order) => {
      if (order.order === expected) resolve(order);
      else reject(new Error(`Expected the order ${expected}, got ${order.order}.`));
    });
  });
}

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
};

function isTask(name: string): name is TaskName {
  return Object.hasOwn(tasks, name);
}

async function perform(): Promise<void> {
  const order = await awaitOrder("perform");
  if (order.order !== "perform" || !isTask(order.task)) throw new Error(`Unknown task in ${JSON.stringify(order)}.`);
  // The parameters were typed for this very task on the other side of the channel (see ContenderProcess.start).
  const task = (await tasks[order.task]()) as (params: unknown, stage: Stage<unknown>) => Promise<unknown>;
  send({ report: "closed", aftermath: await task(order.params, stage) });
}

// Whatever a library leaves running after its close must not keep the process: the report is the end. A bench that is
// gone cannot dismiss anybody, so its end is theirs too.
process.once("disconnect", () => process.exit(1));
try {
  await perform();
  process.exit(0);
} catch (error) {
  send({ report: "failed", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exit(1);
}
