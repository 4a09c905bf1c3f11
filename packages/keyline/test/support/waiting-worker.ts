/* A process with a worker that waits for jobs, for tests of who is seen to work. */
import { Keyline } from "keyline";

const { valkey, prefix, queue, lease } = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly queue: string;
  readonly lease: number;
};
new Keyline({ valkey, prefix }).queue(queue, { lease }).work(() => undefined);
