import { setTimeout as pause } from "node:timers/promises";
import { Keyline, type Stream } from "keyline";
import { rest } from "../process/headway.ts";
import type { Task } from "../process/stage.ts";
import type { IdleParams } from "./idle.ts";

/** A follower and a consumer of one stream, proven alive by an entry, then left alone, then proven alive again. */
export const idleStream: Task<IdleParams, { readonly elapsedMs: number }, { readonly woken: number }> = async (params, stage) => {
  const { valkey, postgres } = params;
  const keyline = new Keyline(postgres === undefined ? { valkey } : { valkey, postgres });
  if (postgres !== undefined) await keyline.migrate();
  const stream: Stream<number> | Stream<number, number, true> =
    postgres === undefined ? keyline.stream<number>("idle") : keyline.stream<number>("idle", { transactional: true });
  let [followed, consumed] = [0, 0];
  const ending = new AbortController();
  const following = (async () => {
    for await (const entry of stream.follow({ after: "-", signal: ending.signal })) followed += entry.data;
  })();
  stream.consume("idle", (entry) => void (consumed += entry.data), { concurrency: 10 });
  const runOne = async (): Promise<number> => {
    const before = Math.min(followed, consumed);
    await stream.append(1);
    while (Math.min(followed, consumed) === before) await pause(5);
    return Math.max(followed, consumed) - before;
  };
  await runOne();
  await rest(params.settlingMs);
  await stage.measure(async () => {
    const start = performance.now();
    await rest(params.forMs);
    return { elapsedMs: performance.now() - start };
  });
  const woken = await runOne();
  ending.abort();
  await following;
  await keyline.close();
  return { woken };
};
