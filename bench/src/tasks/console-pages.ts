import { createConsole } from "@keyline/console";
import { Keyline } from "keyline";
import { oneByOne } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";

export interface ConsolePagesParams {
  readonly valkey: string;
  /** Without it the queue is plain. */
  readonly postgres?: string;
  readonly jobs: number;
  readonly groups: number;
  /** Consoles that are opened one after the other: each answers for the first time. */
  readonly consoles: number;
}

export interface ConsolePages {
  /** By page, in milliseconds. */
  readonly latenciesMs: Readonly<Record<string, readonly number[]>>;
}

/** What an operator opens first. */
const pages: Readonly<Record<string, string>> = {
  overview: "overview",
  queue: "queues/long",
  jobs: "queues/long/jobs?limit=50",
  groups: "queues/long/groups?limit=50",
};
const atOnce = 10_000;

/** A console on a queue whose jobs stand in the lines of groups, and nobody works. */
export const consolePages: Task<ConsolePagesParams, ConsolePages, null> = async (params, stage) => {
  const { valkey, postgres, jobs, groups, consoles } = params;
  const open = (): Keyline => new Keyline(postgres === undefined ? { valkey } : { valkey, postgres });
  const keyline = open();
  if (postgres !== undefined) await keyline.migrate();
  const queue = postgres === undefined ? keyline.queue<number>("long") : keyline.queue<number>("long", { transactional: true });
  await oneByOne(Math.ceil(jobs / atOnce), "parts of the jobs were added", async (part) => {
    const first = part * atOnce;
    const group = (index: number): string => `group-${(first + index) % groups}`;
    await queue.addMany(Array.from({ length: Math.min(atOnce, jobs - first) }, (_, index) => ({ data: index, group: group(index) })));
  });
  const { id } = await queue.add(0);
  // As the thing that it is: whoever opens a console has its Keyline for a while.
  const other = open();
  await other.directory.queues();
  await stage.measure(async () => {
    const latenciesMs: Record<string, number[]> = {};
    await oneByOne(consoles, "consoles were opened", async () => {
      for (const [page, path] of Object.entries({ ...pages, job: `queues/long/jobs/${id}` }))
        (latenciesMs[page] ??= []).push(await timeOf(other, path));
    });
    return { latenciesMs };
  });
  await Promise.all([keyline.close(), other.close()]);
  return null;
};

async function timeOf(keyline: Keyline, path: string): Promise<number> {
  const console = createConsole({ keyline, access: "loopback" });
  const from = performance.now();
  const request = new Request(`http://localhost/console/api/${path}`, { headers: { host: "localhost" } });
  const answer = await console.fetch(request, { remoteAddress: "127.0.0.1" });
  const text = await answer.text();
  const took = performance.now() - from;
  if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}: ${text.slice(0, 200)}`);
  await console.close();
  return took;
}
