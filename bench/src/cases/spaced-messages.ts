import type { Contender } from "../process/contender.ts";
import type { Bench } from "../suite/bench.ts";
import type { FigureKind, Measurement } from "../suite/case.ts";
import { percentile } from "../suite/median.ts";
import { expectExactly, expectRegular } from "./delivery.ts";
import type { PlainChannelOptions } from "../contenders/plain-channel.ts";

export const latencyFigures: Readonly<Record<string, FigureKind>> = {
  p50: { label: "p50", unit: "ms", better: "lower" },
  p99: { label: "p99", unit: "ms", better: "lower" },
};

export function spacedSizes(bench: Bench): { readonly messages: number; readonly lead: number } {
  return { messages: bench.size(2_500, 25), lead: bench.size(500, 5) };
}

/** From the call of publish in one process to the arrival in another, one message at a time. */
export async function timeSpacedMessages(
  listener: Contender<"listen"> | Contender<"listenLive">,
  { publisher, options }: { readonly publisher: string; readonly options: PlainChannelOptions },
  bench: Bench,
): Promise<Measurement> {
  const { messages, lead } = spacedSizes(bench);
  await listener.ready();
  const publishing = bench.start("publishSpaced", { contender: publisher, options, messages });
  await publishing.ready();
  const [heard, sent] = await Promise.all([listener.run(), publishing.run()]);
  await publishing.dismiss();
  expectRegular(await listener.dismiss());
  const { receivedAtMs } = heard.result;
  const { sentAtMs } = sent.result;
  expectExactly("messages delivered", messages, receivedAtMs.length);
  const latencies = receivedAtMs.map((at, seq) => at - (sentAtMs[seq] ?? Number.NaN)).slice(lead);
  return { figures: { p50: percentile(latencies, 50), p99: percentile(latencies, 99) } };
}
