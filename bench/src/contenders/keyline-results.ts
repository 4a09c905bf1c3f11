import { Keyline } from "keyline";
import { payloadsOf, type Payload } from "./payload.ts";
import type { ResultQueue, ResultQueueOptions } from "./result-queue.ts";

export async function open({ valkey, name, payloadBytes }: ResultQueueOptions): Promise<ResultQueue> {
  const own = { asking: new Keyline({ valkey }), working: new Keyline({ valkey }) };
  const rules = { keepResult: 10_000 };
  const asked = own.asking.queue<Payload>(name, rules);
  const worker = own.working.queue<Payload>(name, rules).work(async (job) => job.data.seq);
  const payload = payloadsOf(payloadBytes);
  return {
    ask: async (seq) => {
      const { id } = await asked.add(payload(seq));
      return asked.waitFor<number>(id, { timeout: 10_000 });
    },
    close: async () => {
      await worker.stop();
      await Promise.all([own.asking.close(), own.working.close()]);
    },
  };
}
