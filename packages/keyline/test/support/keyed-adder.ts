/*
 * A process that adds jobs with the same few keys as others do at the same time, for tests that count how many of them were added. It prints one
 * line: for each key, the ids that it was told, and whether its own job was added.
 */
import { Keyline, type AddResult } from "keyline";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: string;
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
  readonly keys: number;
  /** Calls for each key. */
  readonly calls: number;
  readonly options: { readonly window?: number; readonly keep?: "latest" };
  readonly startAt: number;
};

const keyline = new Keyline({ valkey: settings.valkey, postgres: settings.postgres, prefix: settings.prefix });
const queue = keyline.queue<number>(settings.queue, { transactional: settings.transactional } as { transactional: false });
await queue.counts();
await new Promise((resolve) => setTimeout(resolve, Math.max(0, settings.startAt - Date.now())));
const answers: (AddResult & { readonly key: string })[] = [];
const keys = Array.from({ length: settings.keys }, (_, index) => `key ${index}`);
if (process.pid % 2 === 0) keys.reverse();
for (let call = 0; call < settings.calls; call++) {
  await Promise.all(
    keys.map(async (key) => {
      const deduplicate = { key, ...settings.options } as { key: string };
      answers.push({ key, ...(await queue.add(call, { deduplicate })) });
    }),
  );
}
process.stdout.write(`${JSON.stringify({ answers })}\n`);
await keyline.close();
