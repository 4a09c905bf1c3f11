import { toError } from "../runtime/errors.ts";
import type { Probe, Seam } from "../runtime/probe.ts";
import { traceOfMessage, type Message } from "./message.ts";

export type MessageListener<Data> = (message: Message<Data>) => void | Promise<void>;

/** Calls a listener, and tells of it. Throws, and rejects with, what it does. */
export function hear<Data>(probe: Probe, listener: MessageListener<Data>, message: Message<Data>): void | Promise<void> {
  const { channel: place, id } = message;
  const heard: { result?: void | Promise<void>; thrown?: unknown } = {};
  probe.process({ place, isBatch: false, ids: [id], traces: [traceOfMessage(message)], of: [] }, (ended) => {
    const end = (error?: unknown): void => ended(error === undefined ? undefined : toError(error), nothing);
    try {
      heard.result = listener(message);
    } catch (error) {
      heard.thrown = error;
      return end(error);
    }
    // Whoever called the listener waits for what it returned: its end is told beside that.
    if (heard.result) Promise.resolve(heard.result).then(() => end(), end);
    else end();
  });
  if ("thrown" in heard) throw heard.thrown;
  return heard.result;
}

interface Messages<Data> {
  next(): Promise<IteratorResult<Message<Data>, undefined>>;
  close(): void;
}

/** The same messages for an iteration; each that it is given is told of. */
export function received<Data>(messages: Messages<Data>, seam: Seam): Messages<Data> {
  return {
    next: () => (seam.probe ? receive(seam.probe, messages.next()) : messages.next()),
    close: () => messages.close(),
  };
}

async function receive<Data>(probe: Probe, next: ReturnType<Messages<Data>["next"]>): ReturnType<Messages<Data>["next"]> {
  const result = await next;
  if (!result.done) {
    const { channel: place, id } = result.value;
    probe.receive({ place, isBatch: false, ids: [id], traces: [traceOfMessage(result.value)] });
  }
  return result;
}

function nothing(): void {
  // Nothing waits for its end.
}
