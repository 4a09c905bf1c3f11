import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startValkey } from "@keyline/embedded";
import { Keyline } from "keyline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openStage, type Stage } from "../../../keyline/test/support/stage.ts";
import { EventSourceReader } from "../support/event-source.ts";
import { openGateway } from "../support/gateway.ts";

let stage: Stage;
const children: ChildProcess[] = [];
beforeAll(async () => {
  stage = await openStage();
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await stage.close();
});

/** A gateway in a process of its own, with the channel "news". */
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
  readonly seen: number[];
  reader: EventSourceReader;
}

const numbersOf = (reader: EventSourceReader): number[] => {
  return reader.events.filter(({ event }) => event === "message").map(({ data }) => (data["data"] as { n: number }).n);
};

// Processes take seconds to start on a machine that is busy.
test("when a gateway is killed, a hundred clients resume at another one, each without a hole or a repetition", async () => {
  const [first, second] = await Promise.all([startProcess(), startProcess()]);
  const channel = stage.keyline().channel<{ n: number }>("news", { history: {} });
  const streamAt = ({ url }: { readonly url: string }): string => `${url}/v1/channels/news/messages`;
  const readers = await Promise.all(Array.from({ length: 100 }, () => EventSourceReader.open(streamAt(first))));
  const clients = readers.map((reader): Client => ({ seen: [], reader }));
  let published = 0;
  const publishSome = async (): Promise<void> => {
    for (let count = 0; count < 100; count++) await channel.publish({ n: published++ });
  };
  await publishSome();
  const publishing = publishSome();
  await first.kill();
  await Promise.all(
    clients.map(async (client) => {
      await client.reader.ended;
      client.seen.push(...numbersOf(client.reader));
      client.reader = await EventSourceReader.open(streamAt(second), { "last-event-id": client.reader.lastEventId });
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
}, 90_000);

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
