import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startValkey, type EmbeddedValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway } from "../support/gateway.ts";

let server: EmbeddedValkey;
let stage: Stage;
const children: ChildProcess[] = [];
beforeAll(async () => {
  // Its commands are counted.
  server = await startValkey();
  stage = await openStage({ valkeyUrl: server.url });
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await stage.close();
  await server.stop();
});

/** A gateway in a process of its own, with public channels of any name. */
async function startProcess(): Promise<{ readonly url: string; kill(): Promise<void> }> {
  const script = fileURLToPath(new URL("../support/standalone.ts", import.meta.url));
  const settings = JSON.stringify({ valkey: stage.valkeyUrl, prefix: stage.prefix });
  const child = spawn(process.execPath, ["--conditions=development", script, settings], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const url = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  return {
    url,
    kill: () => {
      child.kill("SIGKILL");
      return exited;
    },
  };
}

interface Client {
  readonly name: string;
  readonly seen: number[];
  reader: EventSourceReader;
}

const numbersOf = (reader: EventSourceReader): number[] => {
  return reader.events.filter(({ event }) => event === "message").map(({ data }) => (data["data"] as { n: number }).n);
};

// Processes take seconds to start on a machine that is busy.
test("when a gateway is killed, the clients of fifty channels resume at another one, each without a hole or a repetition", async () => {
  const [first, second] = await Promise.all([startProcess(), startProcess()]);
  const keyline = stage.keyline();
  const names = Array.from({ length: 50 }, (_, n) => `news-${n}`);
  const channels = names.map((name) => keyline.channel<{ n: number }>(name, { history: {} }));
  const streamAt = ({ url }: { readonly url: string }, name: string): string => `${url}/v1/channels/${name}/messages`;
  const clients = await Promise.all(
    names.flatMap((name) =>
      Array.from({ length: 10 }, async (): Promise<Client> => {
        return { name, seen: [], reader: await EventSourceReader.open(streamAt(first, name)) };
      }),
    ),
  );
  let published = 0;
  const publishSome = async (): Promise<void> => {
    for (let count = 0; count < 20; count++) {
      const n = published++;
      await Promise.all(channels.map((channel) => channel.publish({ n })));
    }
  };
  await publishSome();
  const publishing = publishSome();
  await first.kill();
  const before = await historyReads();
  await Promise.all(
    clients.map(async (client) => {
      await client.reader.ended;
      client.seen.push(...numbersOf(client.reader));
      const since = { "last-event-id": client.reader.lastEventId };
      client.reader = await EventSourceReader.open(streamAt(second, client.name), since);
    }),
  );
  await publishing;
  await publishSome();
  const everything = Array.from({ length: published }, (_, n) => n);
  for (const { seen, reader } of clients) {
    await reader.receive("message", published - seen.length);
    expect([...seen, ...numbersOf(reader)]).toEqual(everything);
    reader.close();
  }
  // Of a channel one client's question is answered for those who ask with it.
  expect((await historyReads()) - before).toBeLessThanOrEqual(4 * names.length);
}, 90_000);

/** How many pages of histories were ever read. */
async function historyReads(): Promise<number> {
  return Number(/cmdstat_xrange:calls=(\d+)/.exec(await stage.valkey.info("commandstats"))?.[1] ?? 0);
}

test("when Valkey is restarted and has lost everything, the streams stay, tell it, and go on", async () => {
  const valkey = await startValkey();
  const keyline = new Keyline({ valkey: valkey.url });
  const channels = [
    { channel: keyline.channel<string>("kept", { history: {} }), access: "public" },
    { channel: keyline.channel<string>("plain"), access: "public" },
  ] as const;
  const gateway = await openGateway({ keyline, channels });
  const reader = await EventSourceReader.open(`${gateway.url}/v1/live?channel=kept&channel=plain`);
  for (const { channel } of channels) await channel.publish("before");
  await reader.receive("message", 2);
  await valkey.restart();
  await eventually("both channels told of it", () => reader.events.filter(({ event }) => event === "gap").length >= 2);
  for (const { channel } of channels) {
    await eventually("a message can be published", () =>
      channel.publish("after").then(
        () => true,
        () => false,
      ),
    );
  }
  await eventually("both went on", () => reader.events.filter(({ data }) => data["data"] === "after").length === 2);
  const gaps = reader.events
    .filter(({ event }) => event === "gap")
    .map(({ data }) => `${String(data["channel"])} ${String(data["reason"])}`);
  expect(new Set(gaps)).toEqual(new Set(["kept lost", "plain disconnected"]));
  reader.close();
  await gateway.close();
  await keyline.close();
  await valkey.stop();
});
