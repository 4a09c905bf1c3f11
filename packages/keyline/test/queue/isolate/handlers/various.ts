import type { SettlingHandler, Transaction } from "keyline";

type Data = { readonly do: string; readonly n?: number; readonly queue?: string; readonly transactional?: boolean };

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
      return values;
    }
    case "split": {
      const { queue, transactional } = job.data;
      const leaf = (n: number) => ({ queue: { name: queue ?? "" }, data: { do: "", n } });
      const below = [leaf(1), { ...leaf(2), options: { children: [leaf(3)], onChildDead: "ignore" as const } }];
      if (transactional) await step("split", (tx) => job.addChildren(below, { tx, onChildDead: "value" }));
      else await job.addChildren(below, { name: "split", onChildDead: "value" });
      await job.childrenEnded();
      const values: unknown[] = [];
      for await (const { value } of job.children()) values.push(value);
      return values;
    }
    case "refused": {
      const codes: unknown[] = [];
      const note = async (adding: Promise<void>): Promise<void> =>
        void (await adding.catch((error: Error & { code?: string }) => codes.push(error.code, error.message)));
      const unknown = [{ queue: { name: "nobody" }, data: { do: "" } }];
      const inside: { queue: { name: string }; data: Data; options?: object }[] = [{ queue: { name: job.queue }, data: { do: "" } }];
      if (inside[0]) inside[0].options = { children: inside };
      if (!job.data.transactional) {
        await note(job.addChildren(unknown, { name: "a" }));
        await note(job.addChildren(inside, { name: "b" }));
        return codes;
      }
      let late: Transaction | undefined;
      await step("split", async (tx) => {
        late = tx;
        await note(job.addChildren(unknown, { tx }));
        await note(job.addChildren(inside, { tx }));
      });
      if (late) await note(job.addChildren([], { tx: late }));
      await note(job.addChildren([], { tx: { query: () => Promise.resolve({ rows: [] }) } }));
      return codes;
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
