/*
 * Workers of a queue with limits as a process of its own. Each job that runs is counted on Valkey, by process: how many run, and the most that ever did, of all and of its group. What
 * was taken when, and when that ran, is printed: see faults/places/history.ts.
 */
import { Valkey } from "iovalkey";
import { Keyline } from "keyline";
import { moment } from "../faults/places/history.ts";
import { countKey } from "./count-key.ts";
import { watchTakes } from "./take-watch.ts";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly prefix: string;
  readonly queue: string;
  /** Default that of Keyline. */
  readonly lease?: number;
  readonly workers: number;
  /** Milliseconds of work. */
  readonly work: number;
};

const countRunning = `
  redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
  local running = 0
  for _, count in ipairs(redis.call('HVALS', KEYS[1])) do running = running + count end
  if running > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], running) end
  if ARGV[2] == '1' then redis.call('RPUSH', KEYS[3], ARGV[3]) end
`;
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
watchTakes(print, { isEvery: true });
const valkey = new Valkey(settings.valkey.replace("valkey:", "redis:"));
const keyline = new Keyline({ valkey: settings.valkey, prefix: settings.prefix });

async function count(change: 1 | -1, { data, group }: { readonly data: number; readonly group: string | undefined }): Promise<void> {
  const { queue } = settings;
  const counts = (group === undefined ? [undefined] : [undefined, group]).map((of) => {
    const keys = (["running", "most", "begun"] as const).map((what) => countKey(queue, what, of));
    return valkey.eval(countRunning, 3, ...keys, process.pid, change, data);
  });
  await Promise.all(counts);
}

for (let number = 0; number < settings.workers; number++) {
  const { lease } = settings;
  const worker = keyline.queue<number>(settings.queue, lease === undefined ? {} : { lease }).work(
    async (job) => {
      const { id, group } = job;
      print({ what: "began", id, group, at: moment() });
      await count(1, job);
      await new Promise((resolve) => setTimeout(resolve, settings.work));
      await count(-1, job);
      print({ what: "ended", id, at: moment() });
    },
    { concurrency: 10 },
  );
  worker.on("error", () => print({ what: "lost", at: moment() }));
}
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
print({ ready: true });
