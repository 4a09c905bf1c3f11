import type { SettlingHandler } from "keyline";

type Data = { readonly do: string; readonly n?: number };

/** Does what its job says. */
export const handler: SettlingHandler<Data> = async (job, { settle, step }) => {
  switch (job.data.do) {
    case "fields":
      return { id: job.id, queue: job.queue, attempt: job.attempt, group: job.group, data: job.data, pid: process.pid };
    case "throw":
      throw Object.assign(new Error("it did not work"), { code: "E_MINE" });
    case "loop":
      if (job.attempt > 1) return "once";
      for (;;);
    case "signal":
      if (job.attempt > 1) return "ended";
      await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
      throw new Error("aborted in time");
    case "exit":
      if (job.attempt > 1) return "once";
      return process.exit(3);
    case "kill":
      if (job.attempt > 1) return "once";
      process.kill(process.pid, "SIGKILL");
      return new Promise(() => undefined);
    case "bigint":
      return () => undefined;
    case "steps": {
      const one = await step("one", async (tx) => {
        await tx.query("INSERT INTO effects VALUES ($1, $2)", [job.queue, 1]);
        return (await tx.query<{ two: number }>("SELECT 2 AS two")).rows[0]?.two;
      });
      if (job.attempt === 1) throw new Error("again");
      await job.sleep("nap", 20);
      await job.progress({ done: 1 });
      await settle(async (tx) => {
        await tx.query("INSERT INTO effects VALUES ($1, $2)", [job.queue, one]);
        return { one };
      });
      return undefined;
    }
    case "family": {
      await job.childrenEnded();
      const values: unknown[] = [];
      for await (const { value } of job.children()) values.push(value);
      const refused = await job.addChildren([], { name: "more" }).catch((error: Error & { code?: string }) => error.code);
      return { values, refused };
    }
    case "bad effects":
      await settle(async (tx) => {
        await tx.query("INSERT INTO effects VALUES ($1, $2)", [job.queue, 9]);
        throw new Error("not this one");
      });
      return undefined;
    default:
      return job.data.n;
  }
};
