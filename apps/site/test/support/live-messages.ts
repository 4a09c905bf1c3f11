export interface LiveMessage {
  readonly id: string;
  readonly channel: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Channel {
  readonly channel: string;
  readonly since?: string;
  readonly token?: string;
}

/** What the gateway at this address brings of a channel, from the oldest that is kept, until the caller stops reading. */
export async function* followChannel(url: string, { channel, since = "earliest", token }: Channel): AsyncGenerator<LiveMessage> {
  const leaving = new AbortController();
  try {
    const response = await fetch(`${url}/v1/channels/${channel}/messages?since=${since}`, {
      headers: { accept: "text/event-stream", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      signal: leaving.signal,
    });
    if (!response.ok || !response.body) throw new Error(`No stream: ${response.status}`);
    yield* messagesIn(response.body);
  } finally {
    leaving.abort();
  }
}

async function* messagesIn(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<LiveMessage> {
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const frames = (text + chunk).split("\n\n");
    text = frames.pop() ?? "";
    for (const frame of frames) {
      const data = /^event: message$[\s\S]*^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined) yield JSON.parse(data) as LiveMessage;
    }
  }
}

export async function readMessages(url: string, { wanted, ...channel }: Channel & { readonly wanted: number }): Promise<LiveMessage[]> {
  const messages: LiveMessage[] = [];
  for await (const message of followChannel(url, channel)) {
    messages.push(message);
    if (messages.length === wanted) break;
  }
  return messages;
}
