/* A worker as a process of its own that begins jobs and never ends them, for tests that kill it. */
import { Keyline } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
  readonly lease: number;
};

const keyline = new Keyline({ valkey: settings.valkey, postgres: settings.postgres, prefix: settings.prefix });
const queue = keyline.queue<number>(settings.queue, { transactional: settings.transactional, lease: settings.lease } as {
  transactional: false;
});
queue.work(async ({ id }) => {
  process.stdout.write(`${JSON.stringify({ started: id })}\n`);
  await new Promise(() => undefined);
});
