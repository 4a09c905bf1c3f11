import { onTestFinished } from "vitest";
import type { TokenSource } from "../../src/connection/token-keeper.ts";
import { Live } from "../../src/live.ts";
import type { ConnectionState } from "../../src/connection/connection.ts";
import { surroundings, type Environment } from "../../src/runtime/environment.ts";
import type { Message } from "../../src/subscription/message.ts";
import { GatewayDouble } from "./gateway-double.ts";
import { Notice } from "./notice.ts";

/** The real surroundings, in which backoffs take a twentieth of their bound. */
export const quick: Environment = { ...surroundings, random: () => 0.05 };

/** A double that is gone after the test. */
export async function openGateway(): Promise<GatewayDouble> {
  const double = await GatewayDouble.start();
  onTestFinished(() => double.down());
  return double;
}

interface ClientOptions {
  readonly token?: TokenSource;
  readonly environment?: Environment;
}

/** A client that is closed after the test. */
export function openClient(double: GatewayDouble, { token, environment = quick }: ClientOptions = {}): Live {
  const live = new Live({ url: double.url, token, environment });
  onTestFinished(() => live.close());
  return live;
}

/** Resolves when the client is, or has come into, this state. */
export async function reached(live: Live, state: ConnectionState): Promise<void> {
  if (live.state === state) return;
  await new Promise<void>((resolve) => {
    const stop = live.on("state", (now) => {
      if (now !== state) return;
      stop();
      resolve();
    });
  });
}

/** What a listener got, and a way to wait for it. */
export class Log<Entry> {
  readonly entries: Entry[] = [];
  readonly #added = new Notice();

  readonly add = (entry: Entry): void => {
    this.entries.push(entry);
    this.#added.notify();
  };

  async length(count: number): Promise<readonly Entry[]> {
    await this.#added.until(() => this.entries.length >= count);
    return this.entries;
  }
}

/** What `count` messages of an iteration carry. */
export async function take<Data>(messages: AsyncIterable<Message<Data>>, count: number): Promise<Data[]> {
  const taken: Data[] = [];
  const iterator = messages[Symbol.asyncIterator]();
  while (taken.length < count) {
    const { done, value } = await iterator.next();
    if (done) break;
    taken.push(value.data);
  }
  return taken;
}
