/*
 * A worker of children, as a process of its own, which kills itself in the middle of things: behind the COMMIT of a child's settle, or as soon as it is told that the child has ended.
 */
import { Keyline } from "keyline";

interface FamilySettings {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
  /** The child that it dies with. */
  readonly dies: number;
}

type N = { readonly n: number };

const settings = JSON.parse(process.argv[2] ?? "{}") as FamilySettings;
const { valkey, postgres, prefix, dies } = settings;
const keyline = new Keyline({ valkey, postgres, prefix });
const options = { maxAttempts: 3, lease: 1_000 };

const die = (n: number): void => {
  if (n === dies) process.kill(process.pid, "SIGKILL");
};

if (settings.transactional) {
  keyline.queue<N>(settings.queue, { ...options, transactional: true }).work(async ({ data }, { settle }) => {
    await settle(() => Promise.resolve(data.n));
    die(data.n);
  });
} else {
  const worker = keyline.queue<N>(settings.queue, options).work(({ data }) => data.n);
  worker.on("completed", ({ data }) => die(data.n));
}
