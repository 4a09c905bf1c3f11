import { startValkey } from "@keyline/embedded";
import { expect, test } from "vitest";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { compareIds } from "../../../src/stream/entry-id.ts";
import { ValkeyConnection } from "../../../src/valkey/client/connection.ts";
import { toTarget } from "../../../src/valkey/client/options.ts";
import { StreamTails } from "../../../src/valkey/client/stream-tails.ts";
import { eventually } from "../../support/stage.ts";

test("whoever begins to wait while the server is away goes on before it is back", async () => {
  const valkey = await startValkey();
  const connect = (silenceMs: number): ValkeyConnection => new ValkeyConnection(toTarget(valkey.url), { logger: silentLogger, silenceMs });
  const commands = connect(5_000);
  const tails = new StreamTails({
    isCluster: false,
    commands,
    connect,
    isBefore: (a, b) => compareIds(a, b) < 0,
    logger: silentLogger,
  });
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
