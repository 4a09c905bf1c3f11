/*
 * A worker of children, as a process of its own, which kills itself in the middle of things: behind the COMMIT of a child's settle, or as soon as it is told that the child has ended. Or one that
 * ends its child at the moment at which another process ends another one of the same family: each waits until so many have begun.
 */
import { Valkey } from "iovalkey";
import { Keyline } from "keyline";

interface FamilySettings {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
  /** The child that it dies with. */
  readonly dies?: number;
  /** So many end at once. */
  readonly together?: number;
}

/** `family` says with which others it ends. */
type N = { readonly n: number; readonly family?: string };

const settings = JSON.parse(process.argv[2] ?? "{}") as FamilySettings;
const { valkey, postgres, prefix, dies, together } = settings;
const keyline = new Keyline({ valkey, postgres, prefix });
const options = { maxAttempts: 3, lease: 1_000 };

const die = (n: number): void => {
  if (n === dies) process.kill(process.pid, "SIGKILL");
};

const client = new Valkey(valkey.replace("valkey:", "redis:"), { lazyConnect: true, maxRetriesPerRequest: null });
client.on("error", () => undefined);

/** Returns what the child comes to: its number, or the process that it ended in where it ended with others. */
async function live({ n, family }: N): Promise<number> {
  if (together === undefined) return n;
  const key = `${prefix}:begun:${family}`;
  await client.sadd(key, process.pid);
  // Without a rest in between: both see it within a fraction of a millisecond.
  while ((await client.scard(key)) < together);
  return process.pid;
}

if (settings.transactional) {
  keyline.queue<N>(settings.queue, { ...options, transactional: true }).work(async ({ data }, { settle }) => {
    const value = await live(data);
    await settle(() => Promise.resolve(value));
    die(data.n);
  });
} else {
  const worker = keyline.queue<N>(settings.queue, options).work(({ data }) => live(data));
  worker.on("completed", ({ data }) => die(data.n));
}
