import type { AddResult, AppendResult, Channel, Keyline, Logger, PublishResult, Queue, Stream } from "keyline";
import type { AccessOptions } from "./access/access.ts";

export type AnyQueue = Queue<unknown, unknown, boolean>;
export type AnyStream = Stream<unknown, unknown, boolean>;
export type AnyChannel = Channel<unknown>;

/** Any `Queue`, plain or transactional, whatever its data is. */
export interface GivenQueue {
  readonly name: string;
  add(data: never): Promise<AddResult>;
}

/** Any `Stream`. */
export interface GivenStream {
  readonly name: string;
  append(event: never): Promise<AppendResult>;
}

/** Any `Channel`. */
export interface GivenChannel {
  readonly name: string;
  publish(data: never): Promise<PublishResult>;
}

/** Queues, streams or channels as the application made them: some, or a function that finds one by its name. */
export type Given<Thing> = readonly Thing[] | ((name: string) => Thing | undefined | Promise<Thing | undefined>);

export interface ConsoleOptions {
  /** What it shows: everything behind the same prefix that somebody uses. It stays yours: close it after the console. */
  readonly keyline: Keyline;
  /**
   * Who is let in. With a key: whoever has a token that it signed, with the claim `console`, which is `operator` (may act) or `viewer`. `loopback`: everybody on this machine, as an operator,
   * and nobody else.
   */
  readonly access: AccessOptions;
  /** Fields of payloads that nobody sees, besides those whose names say so: names at any depth (`email`), or paths (`customer.email`, `*.phone`). */
  readonly redact?: readonly string[];
  /** What the page calls itself. Default `Keyline`. */
  readonly title?: string;
  /** Queues as the application made them, so that their schemas check what operators add and change. */
  readonly queues?: Given<GivenQueue>;
  /** The same for streams. One with keys can be appended to only if it is given. */
  readonly streams?: Given<GivenStream>;
  /** The same for channels. Those that nobody lists are found only here. */
  readonly channels?: Given<GivenChannel>;
  /** Where requests come in that no adapter hands on. Default `/console`. */
  readonly path?: string;
  /** The folder of the built page. Default: that of this package. */
  readonly pageFolder?: string;
  /** Default: silent. */
  readonly logger?: Logger;
}
