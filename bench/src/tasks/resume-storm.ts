import { setTimeout as pause } from "node:timers/promises";
import { EventParser } from "../contenders/event-parser.ts";
import { EventStream } from "../contenders/event-stream.ts";
import { inWaves } from "../contenders/in-flight.ts";
import { publisherFor } from "../contenders/open-live-server.ts";
import { openPlainChannel } from "../contenders/open-plain-channel.ts";
import type { PlainChannelOptions } from "../contenders/plain-channel.ts";
import type { Task } from "../process/stage.ts";
import { Deliveries } from "./deliveries.ts";

const publishEveryMs = 50;
/** More than are published while a storm lasts. */
const mostMessages = 10_000;

export interface ResumeStormParams {
  /** Whose servers these are. */
  readonly contender: string;
  readonly options: PlainChannelOptions;
  /** Where the clients are first, and where they come back to. */
  readonly urls: readonly [first: string, second: string];
  readonly connections: number;
  /** How long the clients are gone. */
  readonly awayMs: number;
}

export interface ResumedStorm {
  /** From the first that comes back until all have everything that was published before the last one was back. */
  readonly elapsedMs: number;
  /** Messages published while the bench looked: commands that are not the gateway's. */
  readonly published: number;
}

/** Clients of a channel with history, all of which are cut at once and come back with their cursors, while publishing goes on. */
export const resumeStorm: Task<ResumeStormParams, ResumedStorm, { readonly irregularity: string | undefined }> = async (
  { contender, options, urls: [first, second], connections, awayMs },
  stage,
) => {
  const channel = await openPlainChannel(publisherFor(contender), options);
  const deliveries = new Deliveries(connections, mostMessages);
  const clients = Array.from({ length: connections }, (_, receiver) => new Client(receiver, options.name, deliveries));
  await inWaves(connections, (index) => connectTo(first, clients[index]));

  let published = 0;
  const publishing = setInterval(() => {
    const seq = published++;
    channel.publish(seq).catch((error: unknown) => deliveries.note(`Message ${seq} was not published: ${String(error)}`));
  }, publishEveryMs);
  await deliveries.reach(3);

  await stage.measure(async () => {
    const before = published;
    for (const client of clients) client.cut();
    await pause(awayMs);
    const start = performance.now();
    await inWaves(connections, (index) => connectTo(second, clients[index]));
    await deliveries.reach(published);
    return { elapsedMs: performance.now() - start, published: published - before };
  });

  clearInterval(publishing);
  await deliveries.reach(published);
  for (const client of clients) client.cut();
  await channel.close();
  return { irregularity: deliveries.irregularity };
};

async function connectTo(url: string, client: Client | undefined): Promise<void> {
  await client?.connect(url);
}

class Client {
  readonly #channel: string;
  readonly #deliveries: Deliveries;
  readonly #parser: EventParser;
  #stream: EventStream | undefined;

  constructor(receiver: number, channel: string, deliveries: Deliveries) {
    this.#channel = channel;
    this.#deliveries = deliveries;
    this.#parser = new EventParser({
      onMessage: (seq) => deliveries.record(receiver, seq),
      onOther: (event) => deliveries.note(`Receiver ${receiver} got ${event}.`),
    });
  }

  async connect(url: string): Promise<void> {
    const { lastEventId } = this.#parser;
    this.#stream = await EventStream.open(url, {
      channel: this.#channel,
      lastEventId,
      onBytes: (bytes) => this.#parser.push(bytes),
      onLost: (reason) => this.#deliveries.note(reason),
    });
  }

  cut(): void {
    this.#stream?.close();
    this.#parser.reset();
  }
}
