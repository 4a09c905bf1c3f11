/*
 * A worker of families of random shape, as a process of its own, for tests that kill it. Each job says what is to come of it, and what its children come to: a handler that is given
 * anything else says so. What has run is noted where no clock of this process counts: on plain queues in a list on Valkey, on transactional ones in a row that is committed with the job's end.
 */
import { Valkey } from "iovalkey";
import { Discard, Keyline, type Job } from "keyline";
import type { TreeData } from "../queue/families/trees.ts";

interface TreeSettings {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queues: readonly string[];
  readonly transactional: boolean;
}

const settings = JSON.parse(process.argv[2] ?? "{}") as TreeSettings;
const { valkey: url, postgres, prefix, transactional } = settings;
const keyline = new Keyline({ valkey: url, postgres, prefix });
const valkey = new Valkey(url.replace("valkey:", "redis:"), { maxRetriesPerRequest: null });
valkey.on("error", () => undefined);
const options = { lease: 1_000, maxAttempts: 1_000, backoff: () => 5 };
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * ms));

/** Throws what `children` throws: in an attempt that is in vain, LEASE_LOST. */
async function check(job: Job<TreeData>): Promise<void> {
  const { n, children } = job.data;
  const seen: string[] = [];
  for await (const { outcome, value } of job.children<number>()) seen.push(outcome === "completed" ? `${outcome} ${value}` : outcome);
  const expected = children.map((child) => (child.dies ? "dead" : `completed ${child.n}`));
  if (seen.join() !== expected.join()) say({ wrong: n, seen, expected });
}

if (transactional) {
  for (const name of settings.queues) {
    keyline.queue<TreeData>(name, { ...options, transactional: true }).work(
      async (job, { settle }) => {
        const { n, dies } = job.data;
        await check(job);
        await rest(10);
        if (dies) throw new Discard("as it was told");
        await settle(async (tx) => {
          await tx.query("INSERT INTO tree_effects (n) VALUES ($1)", [n]);
          return n;
        });
      },
      { concurrency: 5 },
    );
  }
} else {
  for (const name of settings.queues) {
    keyline.queue<TreeData>(name, options).work(
      async (job) => {
        const { n, dies } = job.data;
        await check(job);
        await rest(10);
        await valkey.rpush(`${prefix}:ran`, n);
        if (dies) throw new Discard("as it was told");
        return n;
      },
      { concurrency: 5 },
    );
  }
}
say({ ready: true });
