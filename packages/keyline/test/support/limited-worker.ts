/*
 * Workers of a queue with limits as a process of its own. Each job that runs is counted on Valkey, by process: how many run, and the most that ever did.
 */
import { Valkey } from "iovalkey";
import { Keyline } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly queue: string;
  readonly lease: number;
  readonly workers: number;
  /** Milliseconds of work. */
  readonly work: number;
};

const note = `
  redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
  local running = 0
  for _, count in ipairs(redis.call('HVALS', KEYS[1])) do running = running + count end
  if running > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], running) end
  if ARGV[2] == '1' then redis.call('RPUSH', KEYS[3], ARGV[3]) end
`;
const valkey = new Valkey(settings.valkey.replace("valkey:", "redis:"));
const keyline = new Keyline({ valkey: settings.valkey, prefix: settings.prefix });
const count = (change: 1 | -1, n: number): Promise<unknown> => valkey.eval(note, 3, "running", "most", "begun", process.pid, change, n);

for (let worker = 0; worker < settings.workers; worker++) {
  keyline.queue<number>(settings.queue, { lease: settings.lease }).work(
    async ({ data }) => {
      await count(1, data);
      await new Promise((resolve) => setTimeout(resolve, settings.work));
      await count(-1, data);
    },
    { concurrency: 10 },
  );
}
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
