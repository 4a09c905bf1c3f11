/*
 * A worker of one queue as a process of its own, for tests of what becomes of jobs that are cancelled, signalled and waited for. On a transactional queue each effect is
 * a row of `lives`. It prints what its handlers were told.
 */
import { Keyline, type KeylineOptions } from "keyline";
import { play, type LifeData } from "../faults/lives/scripts.ts";
import { moment } from "../faults/places/history.ts";
import { watchTakes } from "./take-watch.ts";

const settings = JSON.parse(process.argv[2] ?? "{}") as {
  readonly valkey: KeylineOptions["valkey"];
  readonly postgres: string;
  readonly prefix: string;
  readonly queue: string;
  readonly transactional: boolean;
  readonly lease: number;
};

const note = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
watchTakes(note);
// Whether others have its jobs by then is not known.
const noteLoss = (error: unknown): void => void (codeOf(error) === "LEASE_LOST" && note({ what: "lost", at: moment() }));
const keyline = new Keyline({ valkey: settings.valkey, postgres: settings.postgres, prefix: settings.prefix });
const rules = { lease: settings.lease, maxAttempts: 1_000, backoff: () => 5, keepResult: 600_000 };
const insert = "INSERT INTO lives (queue, n, part, value) VALUES ($1, $2, $3, $4)";
const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? error);

if (settings.transactional) {
  const queue = keyline.queue<LifeData>(settings.queue, { ...rules, transactional: true });
  const worker = queue.work(
    (job, { settle, step }) => {
      const { n } = job.data;
      return play(
        {
          job,
          step: async (name) => {
            const value = await step(name, async (tx) => {
              const drawn = Math.floor(Math.random() * 2 ** 40);
              await tx.query(insert, [queue.name, n, name, JSON.stringify(drawn)]);
              return drawn;
            });
            note({ what: "step", n, name, value });
            return value;
          },
          end: async (value) => {
            const was = await settle(async (tx) => {
              await tx.query(insert, [queue.name, n, "end", JSON.stringify(value)]);
              return { n, value };
            }).catch((error: unknown) => {
              note({ what: "settled", n, was: codeOf(error) });
              throw error;
            });
            note({ what: "settled", n, was });
            return undefined;
          },
        },
        note,
      );
    },
    { concurrency: 8 },
  );
  worker.on("error", noteLoss);
} else {
  const queue = keyline.queue<LifeData>(settings.queue, rules);
  const end = (n: number) => (value: unknown) => Promise.resolve({ n, value });
  const step = (): Promise<number> => Promise.reject(new Error("there are no steps here"));
  const worker = queue.work((job) => play({ job, step, end: end(job.data.n) }, note), { concurrency: 8 });
  worker.on("error", noteLoss);
}
process.on("SIGTERM", () => {
  void keyline.close().then(() => process.exit(0));
});
note({ what: "ready" });
