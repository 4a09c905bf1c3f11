import { startValkey } from "@keyline/embedded";
import { expect, test } from "vitest";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { compareIds } from "../../../src/stream/entry-id.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { StreamTails } from "../../../src/valkey/client/stream-tails.ts";
import { eventually } from "../../support/stage.ts";

function open(url: string): { readonly commands: ValkeyConnection; readonly tails: StreamTails } {
  const connect = (silenceMs: number): ValkeyConnection => new ValkeyConnection(toTarget(url), { logger: silentLogger, silenceMs });
  const commands = connect(5_000);
  return {
    commands,
    tails: new StreamTails({ isCluster: false, commands, connect, isBefore: (a, b) => compareIds(a, b) < 0, logger: silentLogger }),
  };
}

test("whoever begins to wait while the server is away goes on before it is back", async () => {
  const valkey = await startValkey();
  const { commands, tails } = open(valkey.url);
  const stopped = new AbortController();
  try {
    await commands.ensureReady(5_000);
    const first = tails.whenAfter("stream", "0-0", stopped.signal);
    await commands.client.xadd("stream", "*", "data", "1");
    await first;
    await valkey.kill();
    await eventually("the loss is seen", () => !commands.isReady);
    for (let turn = 0; turn < 3; turn++) expect(await tails.whenAfter("stream", "0-0", stopped.signal)).toBeUndefined();
  } finally {
    stopped.abort();
    tails.close();
    commands.close();
    await valkey.stop();
  }
}, 20_000);

test("a read is ended when the last one who waited has gone, so that it does not keep the process", async () => {
  const valkey = await startValkey();
  const { commands, tails } = open(valkey.url);
  const stopped = new AbortController();
  const stayed = new AbortController();
  const unblocked = async (): Promise<number> => {
    const stats = await commands.client.info("commandstats");
    return Number(/cmdstat_client\|unblock:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  const isReading = async (): Promise<boolean> => /cmd=xread/.test(String(await commands.client.client("LIST")));
  try {
    await commands.ensureReady(5_000);
    // Whoever waits is woken early now and then.
    const waitOn = async (signal: AbortSignal): Promise<void> => {
      while (!signal.aborted) await tails.whenAfter("stream", "0-0", signal);
    };
    const waits = [waitOn(stopped.signal), waitOn(stayed.signal)];
    await eventually("it reads", isReading);
    const before = await unblocked();
    stopped.abort();
    await waits[0];
    expect(await unblocked()).toBe(before);
    stayed.abort();
    await waits[1];
    await eventually("the read is ended", async () => (await unblocked()) > before);
  } finally {
    tails.close();
    commands.close();
    await valkey.stop();
  }
}, 60_000);
