/*
 * A worker with quick handlers as a process of its own, so that it takes ahead. It prints a line for each run of a job with a number; at 0 the process kills itself, as a handler would that
 * never lets go of the processor: nothing that it had to say comes out any more.
 */
import { Keyline } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly queue: string;
  readonly lease: number;
  readonly maxAttempts: number;
};

const { valkey, prefix, queue, ...rules } = settings;
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const worker = new Keyline({ valkey, prefix }).queue<number | null>(queue, rules).work(({ data, attempt }) => {
  if (data === null) return;
  print({ ran: data, attempt });
  if (data === 0) process.kill(process.pid, "SIGKILL");
});
worker.on("error", () => undefined);
print({ ready: true });
